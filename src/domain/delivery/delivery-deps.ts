import type { Deps } from '../deps.ts';
import type { Signer } from './signing.ts';

/** Further dependencies of deliveries and signed URLs. */
export interface DeliveryDeps extends Deps {
  signer: Signer;
  /** Default lifetime of a URL, in seconds. */
  urlTtlSeconds: number;
  /** `redirect`: send readers to stores that can presign. */
  delivery: 'redirect' | 'proxy';
  /** Hosts to which readers of unstored (external) items may be redirected. */
  externalHosts: readonly string[];
}
