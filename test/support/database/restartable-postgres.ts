import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../../src/db/embedded/embedded-postgres.ts';
import { isProcessAlive } from '../../../src/db/embedded/file-lock.ts';
import { until } from '../until.ts';

export interface RestartablePostgres {
  connectionString: string;
  /** `fast` ends all connections with an error; `immediate` is a crash, after which the server recovers from its log. */
  stop(mode: 'fast' | 'immediate'): Promise<void>;
  /** Starts the stopped server again, on its port and socket. */
  start(): Promise<void>;
  /** Process id of the postmaster. */
  pid(): Promise<number>;
  /** Stops the postmaster and its children with SIGSTOP; returns their process ids, which get SIGCONT later. Linux alone. */
  freeze(): Promise<number[]>;
  /** Ends every other connection; returns how many. */
  terminateAll(): Promise<number>;
  query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]>;
  /** Stops the server for good. */
  close(): Promise<void>;
}

const SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

/** A PostgreSQL that a test may stop and start while a service uses it. Its cluster is crash-safe. */
export async function startRestartablePostgres(dataDir: string): Promise<RestartablePostgres> {
  const server = await startEmbeddedPostgres({ dataDir });
  const { connectionString } = server;
  const query = async <Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> => {
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5000 });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  };
  const [found] = await query<{ folder: string }>(`SELECT current_setting('data_directory') AS folder`);
  const folder = found?.folder ?? '';
  const options = (await readFile(path.join(folder, 'postmaster.opts'), 'utf8')).trim();
  const program = options.slice(0, options.indexOf(' "'));
  const flags = [...options.matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? '');
  const { uid, gid } = await stat(folder);
  const pidOf = async () => Number((await readFile(path.join(folder, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  return {
    connectionString,
    query,
    pid: pidOf,
    async freeze() {
      const pid = await pidOf();
      process.kill(pid, 'SIGSTOP');
      const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number);
      const all = [pid, ...children.filter((child) => child > 0)];
      for (const child of all) process.kill(child, 'SIGSTOP');
      return all;
    },
    async stop(mode) {
      const pid = await pidOf();
      process.kill(pid, SIGNALS[mode]);
      await until(async () => !isProcessAlive(pid), 30);
    },
    async start() {
      const user = process.getuid?.() === 0 ? { uid, gid } : {};
      spawn(program, flags, {
        ...user,
        stdio: 'ignore',
        detached: true,
        cwd: '/',
        env: { LC_ALL: 'C', TZ: 'UTC' },
      }).unref();
      await until(
        () =>
          query('SELECT 1').then(
            () => true,
            () => false,
          ),
        30,
      );
    },
    async terminateAll() {
      const [row] = await query<{ count: number }>(
        'SELECT count(pg_terminate_backend(pid))::int AS count FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
      return row?.count ?? 0;
    },
    close: () => server.stop(),
  };
}
