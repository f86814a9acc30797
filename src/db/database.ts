import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { PreparingClient } from './preparing-client.ts';
import type { Tables } from './tables.ts';

/** First parameter of repository functions: the database, or a transaction on it. */
export type Db = Kysely<Tables>;
/** For repository functions that must run inside a transaction. */
export type Trx = Transaction<Tables>;

export interface DatabaseOptions {
  connectionString: string;
  /** Maximum connections. */
  poolMax: number;
  /** Time limit of one statement in milliseconds; 0: no limit (migrations). */
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

/** Opens a pool; connects on first use. Times are read as text, so that the microseconds of a sort key are not lost. */
export function openDatabase(options: DatabaseOptions): Database {
  const types = new pg.TypeOverrides();
  types.setTypeParser(TIMESTAMPTZ_OID, (text: string) => text);
  const pool = new pg.Pool({
    Client: PreparingClient,
    connectionString: options.connectionString,
    max: options.poolMax,
    types,
    statement_timeout: options.statementTimeoutMs,
    // Times are read as text; another style set for the database or role would be unreadable. UTC is parsed fastest.
    options: '-c datestyle=ISO -c timezone=UTC',
    connectionTimeoutMillis: 10_000,
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
    application_name: 'mediakeep',
  });
  // Without a listener, losing a connection ends the process. The pool's listener covers only idle connections; on a busy one the
  // running statement fails too, which its caller sees.
  pool.on('error', (error) => options.onError?.(error));
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return { db, pool, close: () => db.destroy() };
}
