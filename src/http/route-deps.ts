import type { SearchDeps } from '../domain/search/search.ts';
import type { WebhookTrust } from './webhooks/webhook-sender.ts';

/** What the routes need from around them. */
export interface RouteDeps extends SearchDeps {
  webhooks: WebhookTrust;
  urlTtlSeconds: number;
  /** `redirect`: stores that can presign give their bytes themselves. */
  delivery: 'redirect' | 'proxy';
  externalHosts: readonly string[];
}
