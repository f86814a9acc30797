import { type Repeated, repeat } from '../../background/repeat.ts';
import { ATTEMPT_SECONDS } from '../../db/jobs/fetches.ts';
import type { Deps } from '../deps.ts';

const RENEW_MS = ATTEMPT_SECONDS * 333;

/** Renews the leases of items that are being fetched, until it is stopped. `details` are logged with a failure. */
export function keepFetches(
  deps: Pick<Deps, 'background'>,
  details: Record<string, unknown>,
  renew: () => Promise<unknown>,
): Repeated {
  const work = async () => {
    await renew();
  };
  return repeat(deps.background, 'fetch-leases', work, { everyMs: RENEW_MS, firstMs: RENEW_MS, details });
}
