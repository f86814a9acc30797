import { execFile, execFileSync, spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { chown, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from '../../../src/db/embedded/free-port.ts';
import { until } from '../until.ts';

/** A PostgreSQL of the system's packages, whose `pg_dump` the embedded one lacks. */
export interface SystemPostgres {
  /** Folder with `pg_dump`, `pg_restore` and `psql` of its version. */
  bin: string;
  /** Creates an empty database, and returns its URL. */
  createDatabase(name: string): Promise<string>;
  stop(): Promise<void>;
}

/** The folder of its programs; undefined, with a message: it is not installed. */
export function systemPostgresBin(): string | undefined {
  const found = globSync('/usr/lib/postgresql/*/bin/initdb').toSorted().at(-1);
  if (found === undefined)
    process.stdout.write('PostgreSQL is not installed in /usr/lib/postgresql: its tests are skipped\n');
  return found && path.dirname(found);
}

/** Starts a server in `folder`, which every user must be able to enter. */
export async function startSystemPostgres(bin: string, folder: string): Promise<SystemPostgres> {
  const cluster = path.join(folder, 'system-postgres');
  await mkdir(cluster);
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? postgresUser() : undefined;
  if (user) await chown(cluster, user.uid, user.gid);
  const words = ['-D', cluster, '-U', 'mediakeep', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C'];
  await promisify(execFile)(path.join(bin, 'initdb'), words, { ...user, cwd: cluster });
  const port = await freePort();
  const options = ['-D', cluster, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off', '-k', ''];
  const server = spawn(path.join(bin, 'postgres'), options, { ...user, cwd: cluster, stdio: 'ignore' });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  const url = (name: string) => `postgres://mediakeep@127.0.0.1:${port}/${name}`;
  const query = async (text: string) => {
    const client = new pg.Client({ connectionString: url('postgres') });
    await client.connect();
    await client.query(text).finally(() => client.end());
  };
  await until(async () =>
    query('SELECT 1').then(
      () => true,
      () => false,
    ),
  );
  return {
    bin,
    createDatabase: async (name) => {
      await query(`CREATE DATABASE ${name}`);
      return url(name);
    },
    stop: async () => {
      server.kill('SIGINT');
      await ended;
    },
  };
}

function postgresUser(): { uid: number; gid: number } {
  const id = (option: string) => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
