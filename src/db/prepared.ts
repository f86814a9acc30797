import type { CompiledQuery, Compilable, RawBuilder } from 'kysely';
import type { Db } from './database.ts';
import { nameStatement } from './preparing-client.ts';

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
  nameStatement(compiled.sql, name);
  return compiled;
}

function placeholders<Values extends object>(): Values {
  return new Proxy({}, { get: (_values, name) => new Placeholder(String(name)) }) as Values;
}
