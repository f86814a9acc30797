import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { codeOf } from '../../errors.ts';
import { DatabaseSilent } from './refusal.ts';

/** A connection as it is looked at here. */
export interface Watched {
  readonly config: pg.ClientConfig & { answerWithinMs?: number };
  readonly askedAt: number;
  /** A statement is running. */
  readonly busy: boolean;
  /** Not busy, and outside of a transaction. */
  readonly resting: boolean;
  readonly pid: number;
  /** Milliseconds for which the running statement has had no sign of the server. */
  quietMs(now: number): number;
  /** Ends a statement whose time is over. */
  enforceLimits(now: number): void;
  /** Asks for a sign of life, and closes the connection when there is none in `ms`. */
  answers(ms: number): Promise<boolean>;
  cut(error: Error): void;
  once(event: 'end', listener: () => void): unknown;
}

const TICK_MS = 500;
/** A connection that rests is asked after this time: one that listens, or holds a lock, is used by nobody else. */
const REST_MS = 10_000;
const ANSWER_MS = 2000;
/** A statement that is quiet for longer is asked about over another connection. */
const QUIET_MS = 3000;
/** Between two such questions about the same database. */
const PAUSE_MS = 3000;
const PROBE_MS = 5000;
/** An answer may be on its way for this long. */
const ON_ITS_WAY_MS = 500;
/** A statement without a limit is given up when nothing can be asked for that long. */
const UNREACHABLE_MS = 60_000;

const connections = new Set<Watched>();
let timer: NodeJS.Timeout | undefined;

/**
 * Looks at an open connection until it ends. A statement ends with its limit or its request's; and before, when the server says
 * over a fresh connection that it is not working on it: then the statement, or its answer, was lost on the way.
 */
export function watch(connection: Watched): void {
  connections.add(connection);
  connection.once('end', () => {
    connections.delete(connection);
    if (connections.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  });
  // What has arrived while this process was busy is read before anyone is judged.
  timer ??= setInterval(() => setImmediate(look), TICK_MS).unref();
}

function look(): void {
  const now = performance.now();
  const quiet: Watched[] = [];
  for (const connection of connections) {
    if (connection.busy) {
      connection.enforceLimits(now);
      if (connection.quietMs(now) > QUIET_MS) quiet.push(connection);
    } else if (connection.resting && now - connection.askedAt > REST_MS) void connection.answers(ANSWER_MS);
  }
  for (const [address, same] of Map.groupBy(quiet, ({ config }) => config.connectionString ?? '')) {
    let questions = databases.get(address);
    if (!questions) databases.set(address, (questions = { nextAt: 0, unreachableSince: undefined, asking: false }));
    if (!questions.asking && now >= questions.nextAt) void askAbout(same, questions);
  }
}

interface Questions {
  nextAt: number;
  unreachableSince: number | undefined;
  asking: boolean;
}

/** By connection string. */
const databases = new Map<string, Questions>();

async function askAbout(quiet: readonly Watched[], questions: Questions): Promise<void> {
  questions.asking = true;
  try {
    const lost = await lostStatements(quiet);
    questions.unreachableSince = undefined;
    for (const connection of lost)
      connection.cut(
        new DatabaseSilent('the connection to the database is dead: the server is not working on the statement'),
      );
  } catch (error) {
    // An answer of the server, such as "too many connections", says nothing about the others.
    if (/^[0-9A-Z]{5}$/.test(codeOf(error) ?? '')) questions.unreachableSince = undefined;
    else questions.unreachableSince ??= performance.now();
    endUnlimited(quiet, questions);
  } finally {
    questions.asking = false;
    questions.nextAt = performance.now() + PAUSE_MS;
  }
}

function endUnlimited(quiet: readonly Watched[], { unreachableSince = Number.POSITIVE_INFINITY }: Questions): void {
  const now = performance.now();
  if (now - unreachableSince < UNREACHABLE_MS) return;
  for (const connection of quiet) {
    if (!connection.config.answerWithinMs && connection.busy && connection.quietMs(now) > UNREACHABLE_MS)
      connection.cut(new DatabaseSilent(`the database could not be reached for ${UNREACHABLE_MS / 1000} s`));
  }
}

/** Those on whose statement the server is not working, although it has not answered. @throws when it cannot be asked */
async function lostStatements(quiet: readonly Watched[]): Promise<Watched[]> {
  const client = new pg.Client({
    ...quiet[0]?.config,
    connectionTimeoutMillis: PROBE_MS,
    application_name: 'mediakeep probe',
  });
  client.on('error', () => {});
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  const limit = setTimeout(() => stream.destroy(new Error('no answer')), PROBE_MS + 2 * ANSWER_MS);
  try {
    await client.connect();
    const first = await workingOn(client, quiet);
    const asked = quiet
      .filter((connection) => !first.has(connection.pid))
      .map((connection) => ({ connection, askedAt: connection.askedAt }));
    if (asked.length === 0) return [];
    await sleep(ON_ITS_WAY_MS);
    const second = await workingOn(client, quiet);
    const now = performance.now();
    return asked
      .filter(
        ({ connection, askedAt }) =>
          !second.has(connection.pid) &&
          connection.busy &&
          connection.askedAt === askedAt &&
          connection.quietMs(now) > QUIET_MS,
      )
      .map(({ connection }) => connection);
  } finally {
    clearTimeout(limit);
    client.end().catch(() => {});
  }
}

/**
 * Process ids of those that the server is working for. Behind a pooler, which gives ids of its own, nothing can be said: all of
 * them. A server that waits for us, to read or to be read, is not working.
 */
async function workingOn(client: pg.Client, quiet: readonly Watched[]): Promise<Set<number>> {
  const pids = quiet.map(({ pid }) => pid);
  const { rows } = await client.query<{ own: number; working: number[] }>(
    `SELECT pg_backend_pid() AS own, ARRAY(
       SELECT pid FROM pg_stat_activity WHERE pid = ANY($1::int[])
         AND (state IS NULL OR state NOT LIKE 'idle%') AND wait_event_type IS DISTINCT FROM 'Client'
     ) AS working`,
    [pids],
  );
  const [row] = rows;
  return new Set(row?.own === (client as unknown as { processID: number }).processID ? row.working : pids);
}
