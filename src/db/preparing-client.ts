import { codeOf } from '../errors.ts';
import { LiveClient } from './connections/live-client.ts';

/** Names of the prepared statements, by their text. */
const names = new Map<string, string>();

/** Maximum prepared shapes: each takes memory in every connection, and callers determine how many there are. */
const MAX_SHAPES = 64;
let shapes = 0;

/**
 * Names a statement whose text depends on the request; only the first `MAX_SHAPES` are kept. Use it only where one plan is right
 * for all values of a shape.
 */
export function nameShape(prefix: string, text: string): void {
  if (names.has(text) || shapes === MAX_SHAPES) return;
  shapes += 1;
  names.set(text, `${prefix}_${shapes}`);
}

/** Every connection prepares this statement once, under its name. */
export function nameStatement(text: string, name: string): void {
  names.set(text, name);
}

/** Number of renamings. */
let renamings = 0;

/**
 * PostgreSQL keeps refusing a prepared statement whose column types have changed, as a newer version's migration may do while
 * this one runs. Under another name every connection prepares it anew.
 */
function isOutdated(error: unknown): boolean {
  return codeOf(error) === '0A000' && (error as { routine?: unknown }).routine === 'RevalidateCachedQuery';
}

/** A connection that keeps the statements of `prepared` under their names. */
export class PreparingClient extends LiveClient {
  // The base class has a dozen overloads, of which the pool and Kysely use one.
  override query(text: unknown, values?: unknown, callback?: unknown): never {
    const name = typeof text === 'string' ? names.get(text) : undefined;
    if (typeof text !== 'string' || name === undefined) return super.query(text, values, callback);
    const run = (): Promise<unknown> => super.query({ name: names.get(text), text, values }, callback);
    if (callback !== undefined) return run() as never;
    return run().catch((error: unknown) => {
      if (!isOutdated(error)) throw error;
      if (names.get(text) === name) names.set(text, `${name.split(' ')[0]} ${(renamings += 1)}`);
      // In a transaction this fails as well, because the first failure has aborted it.
      return run();
    }) as never;
  }
}
