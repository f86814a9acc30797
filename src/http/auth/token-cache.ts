import type { Caller } from '../../domain/caller.ts';

/** How long a valid token is not verified again, and so how much longer tokens of a withdrawn key are accepted. */
const TRUST_MS = 30_000;
const MAX_REMEMBERED = 1000;

export interface RememberedCallers {
  /** The caller of a recently verified token that has not expired since. */
  get(authorization: string): Caller | undefined;
  remember(authorization: string, caller: Caller): void;
}

/**
 * Callers by their Authorization header: a back end sends the same token with every request, and verifying it costs more than
 * most requests.
 */
export function rememberCallers(now: () => number = Date.now): RememberedCallers {
  const known = new Map<string, { caller: Caller; until: number }>();
  return {
    get(authorization) {
      const entry = known.get(authorization);
      if (!entry) return undefined;
      if (now() < entry.until) return entry.caller;
      known.delete(authorization);
      return undefined;
    },
    remember(authorization, caller) {
      if (caller.expires === undefined) return;
      const [oldest] = known.keys();
      if (oldest !== undefined && known.size >= MAX_REMEMBERED) known.delete(oldest);
      known.set(authorization, { caller, until: Math.min(now() + TRUST_MS, caller.expires * 1000) });
    },
  };
}
