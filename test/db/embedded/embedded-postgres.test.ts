import { appendFile, lstat, mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startEmbeddedPostgres } from '../../../src/db/embedded/embedded-postgres.ts';
import { isProcessAlive } from '../../../src/db/embedded/file-lock.ts';
import { createDataFolder } from '../../support/data-folder.ts';

test('a killed server starts again at the same connection string', async () => {
  const folder = await createDataFolder('killed-postgres');
  const first = await startEmbeddedPostgres({ dataDir: folder.path, durable: false });
  const client = new pg.Client({ connectionString: first.connectionString });
  client.on('error', () => {});
  await client.connect();
  const { rows } = await client.query<{ folder: string }>(`SELECT current_setting('data_directory') AS folder`);
  const notes = await readFile(path.join(rows[0]?.folder ?? '', 'postmaster.pid'), 'utf8');
  const pid = Number(notes.split('\n')[0]);
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => isProcessAlive(pid)).toBe(false);
  const second = await startEmbeddedPostgres({ dataDir: folder.path, durable: false });
  await client.end().catch(() => {});
  await first.stop();
  await second.stop();
  await folder.remove();
  expect(second.connectionString).toBe(first.connectionString);
}, 60_000);

test('where no socket can be made the server is reached over TCP', async () => {
  const folder = await createDataFolder('no-socket');
  const first = await startEmbeddedPostgres({ dataDir: folder.path, durable: false });
  const client = await connected(first.connectionString);
  client.on('error', () => {});
  const { rows } = await client.query<{ folder: string }>(`SELECT current_setting('data_directory') AS folder`);
  const cluster = rows[0]?.folder ?? '';
  const pid = Number((await readFile(path.join(cluster, 'postmaster.pid'), 'utf8')).split('\n')[0]);
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => isProcessAlive(pid)).toBe(false);
  // The server comes back at its port, where a folder bears the name of its socket.
  const socket = path.join(path.dirname(cluster), `.s.PGSQL.${new URL(first.connectionString).port}`);
  await rm(socket);
  await mkdir(path.join(socket, 'full'), { recursive: true });
  const second = await startEmbeddedPostgres({ dataDir: folder.path, durable: false });
  expect(first.connectionString).toContain('?host=');
  expect(second.connectionString).toBe(first.connectionString.replace('localhost', '127.0.0.1').split('?')[0]);
  await (await connected(second.connectionString)).end();
  await first.stop();
  await second.stop();
  await folder.remove();
}, 60_000);

test('a server that two use goes on when one of them stops, and ends with the other', async () => {
  const folder = await createDataFolder('shared-postgres');
  const first = await startEmbeddedPostgres({ dataDir: folder.path, durable: false });
  const second = await startEmbeddedPostgres({ dataDir: folder.path, durable: false });
  expect(second.connectionString).toBe(first.connectionString);
  const one = await connected(first.connectionString);
  const { rows } = await one.query<{ folder: string }>(`SELECT current_setting('data_directory') AS folder`);
  const [pid] = (await readFile(path.join(rows[0]?.folder ?? '', 'postmaster.pid'), 'utf8')).split('\n').map(Number);
  await one.end();
  // Each use has a ticket that names its process; as if the other one were another process.
  const users = path.join(path.dirname(rows[0]?.folder ?? ''), 'users');
  expect(await readdir(users)).toHaveLength(2);
  await first.stop();
  expect(await readdir(users)).toHaveLength(1);
  const two = await connected(second.connectionString);
  expect((await two.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await two.end();
  await second.stop();
  await expect.poll(() => isProcessAlive(pid ?? 0)).toBe(false);
  await folder.remove();
});

test('what a killed first start left is made anew', async () => {
  const folder = await createDataFolder('half-made');
  const half = path.join(folder.path, 'postgres', 'cluster.unfinished');
  await mkdir(half, { recursive: true });
  await writeFile(path.join(half, 'PG_VERSION'), '18\n');
  const server = await startEmbeddedPostgres({ dataDir: folder.path, durable: false });
  await (await connected(server.connectionString)).end();
  await server.stop();
  expect(await readdir(path.join(folder.path, 'postgres'))).not.toContain('cluster.unfinished');
  await folder.remove();
});

test('a cluster that cannot be looked at is left as it is', async () => {
  const folder = await createDataFolder('unreadable');
  const cluster = path.join(folder.path, 'postgres', 'cluster');
  await mkdir(path.dirname(cluster), { recursive: true });
  await symlink(cluster, cluster);
  await expect(startEmbeddedPostgres({ dataDir: folder.path, durable: false })).rejects.toThrow('ELOOP');
  expect((await lstat(cluster)).isSymbolicLink()).toBe(true);
  await folder.remove();
});

test('a server that cannot start is reported soon, with the folder of its log', async () => {
  const folder = await createDataFolder('broken-postgres');
  const first = await startEmbeddedPostgres({ dataDir: folder.path, durable: false });
  const client = await connected(first.connectionString);
  const { rows } = await client.query<{ folder: string }>(`SELECT current_setting('data_directory') AS folder`);
  await client.end();
  await first.stop();
  const cluster = rows[0]?.folder ?? '';
  await appendFile(path.join(cluster, 'postgresql.conf'), '\nno_such_setting = 1\n');
  await expect(startEmbeddedPostgres({ dataDir: folder.path, durable: false })).rejects.toThrow(
    new RegExp(`did not start \\(exit code \\d+\\); its log is in ${path.join(cluster, 'log')}`),
  );
  await folder.remove();
});

async function connected(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return client;
}
