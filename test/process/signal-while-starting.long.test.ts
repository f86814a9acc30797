import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { freePort } from '../../src/db/embedded/free-port.ts';
import { isProcessAlive } from '../../src/db/embedded/file-lock.ts';
import { type DataFolder, createDataFolder } from '../support/data-folder.ts';
import { CHECKOUT } from '../support/service-process.ts';

let folder: DataFolder | undefined;
afterEach(() => folder?.remove());

/** The process id of the embedded PostgreSQL; negative or 0 while it is being made. */
function serverId(dataDir: string): number {
  const note = path.join(dataDir, 'POSTGRES-IS-ELSEWHERE.txt');
  const base = existsSync(note)
    ? (/ in (\/\S+)/.exec(readFileSync(note, 'utf8'))?.[1] ?? '')
    : path.join(dataDir, 'postgres');
  const file = path.join(base, 'cluster', 'postmaster.pid');
  return existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : 0;
}

test.each([
  ['the service', 'src/main.ts', [], 'SIGINT'],
  ['the service', 'src/main.ts', [], 'SIGTERM'],
  ['a command that migrates', 'src/cli/bin.js', ['migrate'], 'SIGHUP'],
  ['a command that stores', 'src/cli/bin.js', ['import', '.', '--user', 'u'], 'SIGTERM'],
] as const)('%s (%s %s) ends with its database when %s comes while it starts', async (_what, file, args, signal) => {
  folder = await createDataFolder('early-signal');
  const data = folder.path;
  const child = spawn(process.execPath, [path.join(CHECKOUT, file), ...args], {
    cwd: path.join(CHECKOUT, 'examples'),
    env: { PATH: process.env['PATH'], DATA_DIR: data, PORT: String(await freePort()) },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await vi.waitFor(() => expect(serverId(data)).toBeGreaterThan(0), { timeout: 60_000, interval: 5 });
  const server = serverId(data);
  child.kill(signal);
  await ended;
  await expect.poll(() => isProcessAlive(server)).toBe(false);
});
