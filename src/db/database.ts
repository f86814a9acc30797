import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { AppError, codeOf } from '../errors.ts';
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

/** SQLSTATE classes and system errors that mean "the database is not there just now", not "the statement is wrong". */
const GONE = /^(08|53|57P0|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)/;
const GONE_MESSAGES =
  /connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed and is not queryable|Cannot use a pool after calling end/i;

/** A server that listens on a socket takes its file away when it stops. */
function isSocketGone(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' && (error as { syscall?: unknown }).syscall === 'connect';
}

/**
 * Turns a failure of pg into what a caller may be told: data that PostgreSQL refuses (class 22, 54000, index row too large)
 * is the caller's to change, an absent database is worth a retry. Anything else is returned as it is.
 */
export function asAppError(error: unknown): unknown {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : '';
  if ((code !== undefined && GONE.test(code)) || GONE_MESSAGES.test(message) || isSocketGone(error)) {
    return new AppError('database_unavailable', 'The database cannot be reached; try again shortly.', {
      cause: error,
      retryAfter: 5,
    });
  }
  if (code === '57014' || code === '55P03') {
    return new AppError(
      'overloaded',
      'The database took too long over this request; narrow the search or try again later.',
      { cause: error, retryAfter: 10 },
    );
  }
  if (code === '40001' || code === '40P01') {
    return new AppError('overloaded', 'The request collided with another one; try again.', {
      cause: error,
      retryAfter: 1,
    });
  }
  if (code !== undefined && (code.startsWith('22') || code.startsWith('54'))) {
    return new AppError(
      'invalid_request',
      'A value in the request cannot be stored or searched for; it is out of range or too long.',
      { cause: error },
    );
  }
  return error;
}
