import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { PreparingClient } from './preparing-client.ts';
import type { Tables } from './tables.ts';

/** What a repository function takes first: the database, or a transaction on it. */
export type Db = Kysely<Tables>;
/** For repository functions that are only right inside a transaction. */
export type Trx = Transaction<Tables>;

export interface DatabaseOptions {
  connectionString: string;
  /** Connections at most. */
  poolMax: number;
  /** Milliseconds that one statement may take; 0 for no limit (migrations). */
  statementTimeoutMs: number;
  onError?: (error: Error) => void;
}

export interface Database {
  db: Db;
  pool: pg.Pool;
  /** Waits for running statements, then closes every connection. */
  close(): Promise<void>;
}

const TIMESTAMPTZ_OID = 1184;

/** Opens a pool; connects on first use. Times are read as text, so that no microsecond of a sort key is lost. */
export function openDatabase(options: DatabaseOptions): Database {
  const types = new pg.TypeOverrides();
  types.setTypeParser(TIMESTAMPTZ_OID, (text: string) => text);
  const pool = new pg.Pool({
    Client: PreparingClient,
    connectionString: options.connectionString,
    max: options.poolMax,
    types,
    statement_timeout: options.statementTimeoutMs,
    // Times are read as text, so a database or role with another style would make them unreadable; UTC is read fastest.
    options: '-c datestyle=ISO -c timezone=UTC',
    connectionTimeoutMillis: 10_000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
    application_name: 'mediakeep',
  });
  // Without a listener, the loss of a connection ends the process. The pool's own covers idle ones only; of one in use the
  // statement that was running fails as well, and that is what its caller hears.
  pool.on('error', (error) => options.onError?.(error));
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return { db, pool, close: () => db.destroy() };
}
