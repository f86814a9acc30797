import type { Deps } from '../domain/deps.ts';
import type { Signer } from '../domain/signing.ts';
import type { WebhookTrust } from './webhook-sender.ts';

/** What the routes need from around them. */
export interface RouteDeps extends Deps {
  signer: Signer;
  webhooks: WebhookTrust;
  urlTtlSeconds: number;
  /** `redirect`: stores that can presign give their bytes themselves. */
  delivery: 'redirect' | 'proxy';
  externalHosts: readonly string[];
}
