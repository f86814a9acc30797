import { readFile } from 'node:fs/promises';
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
