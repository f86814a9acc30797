import { sql } from 'kysely';
import type { PartState } from '../background/parts.ts';
import { asAppError } from './database-failure.ts';
import { migrationState } from '../db/schema/migrator.ts';
import { AppError, causeOf, isAppError } from '../errors.ts';
import type { Store } from '../storage/stores/store.ts';
import type { Deps } from './deps.ts';

export interface Check {
  name: string;
  ok: boolean;
  reason?: string;
  /** It fails, but the service still works without it. */
  degraded?: boolean;
}

const TIMEOUT_MS = 3000;

/** Whether everything that requests need is available. Reasons are for operators and contain no addresses or secrets. */
export async function checkReadiness(deps: Pick<Deps, 'db' | 'stores' | 'log' | 'background'>): Promise<Check[]> {
  const check = async (name: string, work: () => Promise<string | undefined>): Promise<Check> => {
    try {
      const reason = await within(work());
      return reason === undefined ? { name, ok: true } : { name, ok: false, reason };
    } catch (error) {
      deps.log.warn({ err: error, check: name }, `readiness check '${name}' failed: ${causeOf(error)}`);
      return {
        name,
        ok: false,
        reason: error instanceof AppError ? error.message : 'does not answer; the log has the reason',
      };
    }
  };
  const { primary, fallbacks } = deps.stores;
  const store = async ({ name, healthy, shortage }: Store): Promise<Check> => {
    let full = false;
    const found = await check(`store:${name}`, async () => {
      await healthy().catch((error: unknown) => {
        full = isAppError(error, 'storage_full');
        throw error;
      });
      const reason = await shortage();
      full = reason !== undefined;
      return reason;
    });
    // Reads still work, so this replica stays in service.
    return full ? { ...found, degraded: true } : found;
  };
  let newer = false;
  const [database, found, first] = await Promise.all([
    check('database', async () => {
      await sql`SELECT 1`.execute(deps.db);
      return undefined;
    }),
    check('schema', async () => {
      const { missing, unknown } = await migrationState(deps.db);
      newer = missing.length === 0 && unknown.length > 0;
      if (missing.length > 0) return `migrations are missing: ${missing.join(', ')}; run mediakeep migrate`;
      return unknown.length > 0 ? `the database was migrated by a newer version: ${unknown.join(', ')}` : undefined;
    }),
    store(primary),
  ]);
  // Every migration leaves the version before it working, so that replicas can be replaced one after the other.
  const schema = newer ? { ...found, degraded: true } : found;
  const background = deps.background.states().flatMap(failingPart);
  if (first.ok || first.degraded === true || fallbacks.length === 0) return [database, schema, first, ...background];
  // Uploads continue in a fallback, so this replica stays in service.
  const others = await Promise.all(fallbacks.map(store));
  const replaced = others.some((other) => other.ok);
  const all = [first, ...others].map((each) =>
    each.ok || each.degraded === true ? each : { ...each, degraded: replaced },
  );
  return [database, schema, ...all, ...background];
}

/** Requests are served without this part, and the process keeps restarting it; taking the replica out of service would not help. */
function failingPart({ name, state, since, lastError }: PartState): Check[] {
  if (state === 'running') return [];
  const error = asAppError(lastError);
  const why = error instanceof AppError ? error.message : 'The log has the reason.';
  return [
    { name: `background:${name}`, ok: false, degraded: true, reason: `failing since ${since.toISOString()}: ${why}` },
  ];
}

async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new AppError('overloaded', `no answer within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  });
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
