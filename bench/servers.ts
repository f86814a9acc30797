import { randomBytes } from 'node:crypto';
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSigner } from 'fast-jwt';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../src/db/embedded/embedded-postgres.ts';
import { freePort } from '../src/db/embedded/free-port.ts';
import { CHECKOUT } from '../test/support/service-process.ts';
import type { Stage } from './stage.ts';
import { findChild } from './usage.ts';

export interface Server {
  name: string;
  origin: string;
  pid: number;
  /** The main process of its PostgreSQL. */
  database: number | undefined;
  /** Folder of its files. */
  files: string;
  stop(): Promise<void>;
}

const SECRET = randomBytes(32).toString('hex');
const START_MS = 60_000;
export const USER = 'bench';
/** A user's token, as the service verifies them in production. */
export const TOKEN = createSigner({ key: SECRET, expiresIn: 24 * 3600 * 1000 })({
  sub: USER,
  scope: 'media:read media:write',
});

export interface Database {
  url: string;
  pid: number | undefined;
  stop(): Promise<void>;
}

/** A separate PostgreSQL in `folder`, as the service starts it: its defaults, durable. */
export async function startDatabase(stage: Stage, name: string): Promise<Database> {
  const dataDir = path.join(stage.folder, `${name}-database`);
  await mkdir(dataDir, { recursive: true });
  const postgres: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir });
  const stop = once(() => postgres.stop());
  stage.atEnd(stop);
  const url = postgres.connectionString;
  return { url, pid: findChild('-p', new URL(url).port), stop };
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= work());
}

/** mediakeep as in production: default settings and log level, the log in a file. A given database is not stopped with it. */
export async function startMediakeep(
  stage: Stage,
  { name = 'mediakeep', database, env = {} }: { name?: string; database?: Database; env?: Record<string, string> } = {},
): Promise<Server> {
  const files = path.join(stage.folder, 'mediakeep-files');
  await mkdir(files, { recursive: true });
  const own = database ?? (await startDatabase(stage, name));
  const port = await freePort();
  const { pid, stop } = await run(
    stage,
    name,
    port,
    '/health/ready',
    ['--enable-source-maps', '--min-semi-space-size=8', '--expose-gc', 'src/main.ts'],
    {
      NODE_ENV: 'production',
      DATABASE_URL: own.url,
      DATA_DIR: path.join(stage.folder, `${name}-data`),
      LOCAL_ROOT: files,
      JWT_SECRET: SECRET,
      PORT: String(port),
      ...env,
    },
  );
  return {
    name,
    origin: `http://127.0.0.1:${port}`,
    pid,
    database: own.pid,
    files,
    stop: database ? stop : stopAll(stop, own),
  };
}

function stopAll(stop: () => Promise<void>, database: Database): () => Promise<void> {
  return async () => {
    await stop();
    await database.stop();
  };
}

export async function startYardstick(stage: Stage): Promise<Server> {
  const files = path.join(stage.folder, 'yardstick-files');
  await mkdir(files, { recursive: true });
  const database = await startDatabase(stage, 'yardstick');
  const port = await freePort();
  const { pid, stop } = await run(stage, 'yardstick', port, '/list', ['bench/reference.ts', String(port), files], {
    NODE_ENV: 'production',
    DATABASE_URL: database.url,
  });
  const origin = `http://127.0.0.1:${port}`;
  return { name: 'yardstick', origin, pid, database: database.pid, files, stop: stopAll(stop, database) };
}

async function run(
  stage: Stage,
  name: string,
  port: number,
  ready: string,
  words: readonly string[],
  env: Record<string, string>,
): Promise<{ pid: number; stop: () => Promise<void> }> {
  const log = path.join(stage.folder, `${name}.log`);
  const out = openSync(log, 'a');
  // For profiling: --cpu-prof --cpu-prof-dir=…, --trace-gc
  const flags = process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [];
  const child = spawn(process.execPath, [...flags, ...words], {
    cwd: CHECKOUT,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '/',
      ...env,
    },
    stdio: ['ignore', out, 'inherit'],
  });
  return { pid: child.pid ?? -1, stop: await watched(stage, child, name, `http://127.0.0.1:${port}${ready}`) };
}

/** Waits until `ready` responds; returns a function that ends the process. */
export async function watched(
  stage: Stage,
  child: ChildProcess,
  name: string,
  ready: string,
): Promise<() => Promise<void>> {
  let over: string | undefined;
  const ended = new Promise<void>((resolve) => {
    const end = (told: string) => {
      over = told;
      resolve();
    };
    child.on('error', (error) => end(error.message));
    child.on('exit', (code, signal) => end(String(signal ?? code)));
  });
  const stop = once(async () => {
    if (over === undefined) child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(late);
  });
  stage.atEnd(stop);
  const deadline = performance.now() + START_MS;
  for (;;) {
    if (over !== undefined) throw new Error(`${name} ended with ${over}`);
    if (performance.now() > deadline) throw new Error(`${name} was not ready after a minute`);
    const answer = await fetch(ready).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer && answer.status < 500) return stop;
    await sleep(25);
  }
}

/** nginx serving another server's files; undefined where it is not installed. */
export async function startNginx(stage: Stage, files: string): Promise<Server | undefined> {
  const { writeNginxConfig } = await import('./nginx.ts');
  const port = await freePort();
  const started = await writeNginxConfig(path.join(stage.folder, 'nginx'), files, port);
  if (!started) {
    stage.log('nginx is not installed: its column is left out');
    return undefined;
  }
  await chmod(stage.folder, 0o755);
  const child = spawn(started.command, started.words, { stdio: ['ignore', 'ignore', 'inherit'] });
  const origin = `http://127.0.0.1:${port}`;
  const stop = await watched(stage, child, 'nginx', origin);
  return { name: 'nginx', origin, pid: child.pid ?? -1, database: undefined, files, stop };
}
