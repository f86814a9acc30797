import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { freePort } from '../../src/db/embedded/free-port.ts';
import { type DataFolder, createDataFolder } from '../support/data-folder.ts';
import { CHECKOUT } from '../support/service-process.ts';

let folder: DataFolder | undefined;
let child: ChildProcess | undefined;
afterEach(async () => {
  child?.kill('SIGKILL');
  await folder?.remove();
});

/** Makes the service throw an unknown error on SIGUSR2. */
const BREAKS = `data:text/javascript,process.on('SIGUSR2',()=>{setTimeout(()=>{throw new Error('broken on purpose')})})`;

interface Running {
  child: ChildProcess;
  address: string;
  ended: Promise<number | string>;
  stderr: () => string;
}

/** Starts the service with an embedded database, and waits until it is ready. */
async function start(stdout: 'pipe' | number, stderr: 'pipe' | number): Promise<Running> {
  folder = await createDataFolder('closed-output');
  const port = await freePort();
  child = spawn(process.execPath, ['--import', BREAKS, path.join(CHECKOUT, 'src/main.ts')], {
    cwd: CHECKOUT,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], DATA_DIR: folder.path, PORT: String(port) },
    stdio: ['ignore', stdout, stderr],
  });
  const started = child;
  let text = '';
  started.stderr?.on('data', (chunk: Buffer) => (text += String(chunk)));
  started.stdout?.resume();
  const ended = new Promise<number | string>((resolve) => {
    started.on('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  const address = `http://127.0.0.1:${port}`;
  await vi.waitFor(async () => expect((await fetch(`${address}/health/ready`)).status).toBe(200), {
    timeout: 60_000,
    interval: 200,
  });
  return { child: started, address, ended, stderr: () => text };
}

/** Each request writes a line of the log. */
async function serves(address: string): Promise<void> {
  for (let n = 0; n < 20; n += 1) expect((await fetch(`${address}/v1/media`)).status).toBe(401);
}

/** The embedded PostgreSQL has stopped, too. */
function databaseIsStopped(): boolean {
  const note = path.join(folder?.path ?? '', 'POSTGRES-IS-ELSEWHERE.txt');
  const base = existsSync(note)
    ? (/ in (\/\S+)/.exec(readFileSync(note, 'utf8'))?.[1] ?? '')
    : path.join(folder?.path ?? '', 'postgres');
  expect(existsSync(path.join(base, 'cluster', 'PG_VERSION'))).toBe(true);
  return !existsSync(path.join(base, 'cluster', 'postmaster.pid'));
}

const CLOSED = [
  ['standard output', ['stdout']],
  ['standard error', ['stderr']],
  ['both outputs', ['stdout', 'stderr']],
] as const;

test.each(CLOSED)(
  'with %s gone the service goes on, and a signal closes it with its database',
  async (_what, streams) => {
    const { child: process, address, ended, stderr } = await start('pipe', 'pipe');
    for (const stream of streams) process[stream]?.destroy();
    await serves(address);
    if (streams.length === 1 && streams[0] === 'stdout')
      await vi.waitFor(() =>
        expect(stderr()).toMatch(/standard output is closed; the log goes on here.*\n.*"status":401/s),
      );
    process.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(databaseIsStopped()).toBe(true);
  },
);

test.each(CLOSED)('with %s gone an unknown error closes the service with its database', async (_what, streams) => {
  const { child: process, address, ended } = await start('pipe', 'pipe');
  for (const stream of streams) process[stream]?.destroy();
  await serves(address);
  process.kill('SIGUSR2');
  expect(await ended).toBe(1);
  expect(databaseIsStopped()).toBe(true);
});

test.skipIf(!existsSync('/dev/full'))('a full disk under the log stops neither requests nor the end', async () => {
  const full = openSync('/dev/full', 'w');
  const { child: process, address, ended } = await start(full, full);
  await serves(address);
  process.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(databaseIsStopped()).toBe(true);
});

test('`npm start | head -1` leaves nothing behind', async () => {
  folder = await createDataFolder('closed-output');
  const port = await freePort();
  child = spawn('bash', ['-c', 'npm start | head -1'], {
    cwd: CHECKOUT,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], DATA_DIR: folder.path, PORT: String(port) },
    stdio: 'ignore',
    detached: true,
  });
  const group = child.pid ?? 0;
  const ended = new Promise((resolve) => child?.on('exit', resolve));
  const address = `http://127.0.0.1:${port}`;
  await vi.waitFor(async () => expect((await fetch(`${address}/health/ready`)).status).toBe(200), {
    timeout: 60_000,
    interval: 200,
  });
  await serves(address);
  process.kill(-group, 'SIGTERM');
  await ended;
  await vi.waitFor(() => expect(databaseIsStopped()).toBe(true), { timeout: 20_000, interval: 100 });
  await expect(fetch(address)).rejects.toThrow();
});
