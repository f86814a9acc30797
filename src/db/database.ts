import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { connectionConfig } from './connections/connection-url.ts';
import { LivePool } from './connections/live-pool.ts';
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
  /** The server refuses every statement that would change something. */
  readOnly?: boolean;
}

export interface Database {
  db: Db;
  pool: pg.Pool;
  /** Waits for running statements, then closes every connection. */
  close(): Promise<void>;
}

const TIMESTAMPTZ_OID = 1184;
/** PostgreSQL ends a statement that takes too long; this much later we end its connection, since the database is silent. */
const SILENT_MS = 2000;
/**
 * The server notices within half a minute that we are gone, and releases the migrations' lock. Its default is two hours. A pooler,
 * which requests may go through, would refuse these settings.
 */
const DEAD_CLIENT = ' -c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3';

/**
 * Opens a pool; connects on first use. Times are read as text, so that the microseconds of a sort key are not lost.
 * @throws ConnectionUrlError
 */
export function openDatabase(options: DatabaseOptions): Database {
  const types = new pg.TypeOverrides();
  types.setTypeParser(TIMESTAMPTZ_OID, (text: string) => text);
  const pool = new LivePool({
    Client: PreparingClient,
    ...connectionConfig(options.connectionString),
    answerWithinMs: options.statementTimeoutMs > 0 ? options.statementTimeoutMs + SILENT_MS : 0,
    max: options.poolMax,
    types,
    statement_timeout: options.statementTimeoutMs,
    // Times are read as text; another style set for the database or role would be unreadable. UTC is parsed fastest.
    options: `-c datestyle=ISO -c timezone=UTC${options.readOnly === true ? ' -c default_transaction_read_only=on' : ''}${options.statementTimeoutMs > 0 ? '' : DEAD_CLIENT}`,
    idle_in_transaction_session_timeout: 60_000,
    application_name: 'mediakeep',
  });
  // Without a listener, losing a connection ends the process.
  pool.on('error', (error) => options.onError?.(error));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return { db, pool, close: () => db.destroy() };
}
