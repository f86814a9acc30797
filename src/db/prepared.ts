import type { CompiledQuery, Compilable, RawBuilder } from 'kysely';
import pg from 'pg';
import { codeOf } from '../errors.ts';
import type { Db } from './database.ts';

/** Names of the statements that connections keep prepared, by their text. */
const names = new Map<string, string>();

/** Stands for a value while a statement is built; never sent. */
class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * A statement of the hot path: built once, parsed and planned once for each connection. Building costs this process, and planning
 * the database, more than a look-up by a key does. Only for statements whose one plan is right for all values: never for a search.
 * @param build is called once; what it reads of `values` stands for the value of each execution
 */
export function prepared<Values extends object, Row>(
  name: string,
  build: (db: Db, values: Values) => Compilable<Row> | RawBuilder<Row>,
): (db: Db, values: Values) => Promise<Row[]> {
  let compiled: CompiledQuery<Row> | undefined;
  return async (db, values) => {
    compiled ??= compile(name, db, build(db, placeholders<Values>()));
    const given = values as Record<string, unknown>;
    const parameters = compiled.parameters.map((each) =>
      each instanceof Placeholder ? (given[each.name] ?? null) : each,
    );
    return (await db.executeQuery<Row>({ ...compiled, parameters })).rows;
  };
}

function compile<Row>(name: string, db: Db, query: Compilable<Row> | RawBuilder<Row>): CompiledQuery<Row> {
  const compiled = query.compile(db);
  names.set(compiled.sql, name);
  return compiled;
}

function placeholders<Values extends object>(): Values {
  return new Proxy({}, { get: (_values, name) => new Placeholder(String(name)) }) as Values;
}

/** How often a statement got another name. */
let renamings = 0;

/**
 * PostgreSQL goes on refusing a kept statement whose columns have changed their types, as the migration of a newer version may do while
 * this one runs. Under another name every connection prepares it anew.
 */
function isOutdated(error: unknown): boolean {
  return codeOf(error) === '0A000' && (error as { routine?: unknown }).routine === 'RevalidateCachedQuery';
}

/** A connection that keeps the statements of `prepared` under their names. */
export class PreparingClient extends pg.Client {
  // The base class has a dozen overloads, of which the pool and Kysely use one.
  override query(...given: unknown[]): never {
    const [text, values, ...rest] = given;
    const name = typeof text === 'string' ? names.get(text) : undefined;
    const query = super.query.bind(this) as unknown as (...args: unknown[]) => never;
    if (typeof text !== 'string' || name === undefined) return query(...given);
    const run = () => query({ name: names.get(text), text, values }, ...rest) as Promise<unknown>;
    if (rest.length > 0) return run() as never;
    return run().catch((error: unknown) => {
      if (!isOutdated(error)) throw error;
      if (names.get(text) === name) names.set(text, `${name.split(' ')[0]} ${(renamings += 1)}`);
      // In a transaction this fails as well, for the first failure has ended it.
      return run();
    }) as never;
  }
}
