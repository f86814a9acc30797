import type { SearchDeps } from '../domain/search.ts';
import type { WebhookTrust } from './webhook-sender.ts';

/** What the routes need from around them. */
export interface RouteDeps extends SearchDeps {
  webhooks: WebhookTrust;
  urlTtlSeconds: number;
  /** `redirect`: stores that can presign give their bytes themselves. */
  delivery: 'redirect' | 'proxy';
  externalHosts: readonly string[];
}
