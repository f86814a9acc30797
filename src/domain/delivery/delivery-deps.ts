import type { Deps } from '../deps.ts';
import type { Signer } from './signing.ts';

/** What deliveries and signed URLs need beside the rest. */
export interface DeliveryDeps extends Deps {
  signer: Signer;
  /** For how many seconds a URL is valid that names no time. */
  urlTtlSeconds: number;
  /** `redirect`: stores that can presign deliver their bytes themselves. */
  delivery: 'redirect' | 'proxy';
  /** Hosts to which a reader may be redirected for bytes that were only recorded. */
  externalHosts: readonly string[];
}
