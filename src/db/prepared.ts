import type { CompiledQuery, Compilable, RawBuilder } from 'kysely';
import type { Db } from './database.ts';
import { nameStatement } from './preparing-client.ts';

/** Placeholder for a value while a statement is built; never sent. */
class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * A statement of the hot path: built once, and parsed and planned once per connection. Building it costs this process, and
 * planning it the database, more than a look-up by key does. Only for statements with one plan for all values: never for a
 * search.
 * @param build is called once; what it reads of `values` becomes a parameter of each execution
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
