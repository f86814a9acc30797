import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../src/db/embedded/embedded-postgres.ts';

export interface BenchServer {
  /** Creates an empty database of that name; returns its URL. */
  createDatabase(name: string): Promise<string>;
  /** The URL of an existing database, or undefined. */
  findDatabase(name: string): Promise<string | undefined>;
  /** Stops the server; its databases stay for the next run. */
  close(): Promise<void>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

const PREFIX = 'mediakeep_bench_';
const FOLDER = path.join(tmpdir(), 'mediakeep-bench-rows');

/** The server of DATABASE_URL, or an embedded one in a separate folder that stays between runs. Names get a prefix. */
export async function openBenchServer(): Promise<BenchServer> {
  const given = process.env['DATABASE_URL'];
  if (given === undefined) {
    await mkdir(FOLDER, { recursive: true });
    await chmod(FOLDER, 0o755);
  }
  const server =
    given === undefined
      ? await startEmbeddedPostgres({ dataDir: FOLDER, durable: false })
      : { connectionString: given, stop: async () => {} };
  const admin = async <T extends pg.QueryResultRow>(sql: string) => {
    const client = new pg.Client({ connectionString: server.connectionString });
    await client.connect();
    try {
      return (await client.query<T>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const address = (name: string) => {
    const url = new URL(server.connectionString);
    url.pathname = `/${PREFIX}${name}`;
    return url.href;
  };
  return {
    async createDatabase(name) {
      await admin(`DROP DATABASE IF EXISTS ${PREFIX}${name} WITH (FORCE)`);
      await admin(`CREATE DATABASE ${PREFIX}${name}`);
      return address(name);
    },
    async findDatabase(name) {
      const found = await admin(`SELECT FROM pg_database WHERE datname = '${PREFIX}${name}'`);
      return found.length > 0 ? address(name) : undefined;
    },
    close: () => server.stop(),
    async remove() {
      if (given !== undefined) {
        const left = await admin<{ datname: string }>(
          `SELECT datname FROM pg_database WHERE starts_with(datname, '${PREFIX}')`,
        );
        for (const { datname } of left) await admin(`DROP DATABASE ${datname} WITH (FORCE)`);
        return;
      }
      await server.stop();
      const note = await readFile(path.join(FOLDER, 'POSTGRES-IS-ELSEWHERE.txt'), 'utf8').catch(() => '');
      const elsewhere = /keeps its files in (\/var\/lib\/mediakeep\/[0-9a-f]{16})\n/.exec(note)?.[1];
      if (elsewhere !== undefined) await rm(elsewhere, { recursive: true, force: true });
      await rm(FOLDER, { recursive: true, force: true });
    },
  };
}
