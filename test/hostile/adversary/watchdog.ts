import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { JWT_SECRET } from '../../support/test-app.ts';
import { slowness } from '../../support/machine-speed.ts';
import { CHECKOUT, type ServiceProcess, startService } from '../../support/service-process.ts';
import { createTestDatabase } from '../../support/database/test-database.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const MIB = 1024 ** 2;
/** Limits of liveness latency and resident memory, whatever is sent. */
const MOST_MS = 500;
const MOST_BYTES = 300 * MIB;
const LOOK_MS = 25;

export interface Victim {
  service: ServiceProcess;
  address: string;
  folder: string;
  connectionString: string;
  close(): Promise<void>;
}

/** Starts the real service in a separate process, on a separate database and folder. */
export async function startVictim(env: Record<string, string> = {}): Promise<Victim> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-victim-'));
  const database = await createTestDatabase();
  const service = await startService({
    env: { DATABASE_URL: database.connectionString, DATA_DIR: folder, JWT_SECRET, LOG_LEVEL: 'warn', ...env },
    // As `npm start` and the image start it.
    command: [process.execPath, '--min-semi-space-size=8', '--expose-gc', path.join(CHECKOUT, 'src/main.ts')],
  });
  return {
    service,
    address: service.address,
    folder,
    connectionString: database.connectionString,
    async close() {
      service.kill('SIGTERM');
      await service.ended;
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

/** The longest block of the event loop since the last call, in milliseconds. */
async function longestHold(address: string): Promise<number> {
  const metrics = await (await fetch(`${address}/metrics`)).text();
  return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(metrics)?.[1]) * 1000;
}

export interface Watched {
  /** Longest block of the event loop, as measured by the service. */
  heldMs: number;
  /** The slowest response of `/health/live`. */
  slowestMs: number;
  /** Increase of resident memory. */
  rose: number;
}

/** Observes the process while `work` runs. */
async function watch(victim: Victim, work: () => Promise<unknown>): Promise<Watched> {
  const { pid } = victim.service;
  const before = await residentBytes(pid);
  const watched = { heldMs: 0, slowestMs: 0, rose: 0 };
  await longestHold(victim.address);
  let over = false;
  const look = async () => {
    while (!over) {
      const since = performance.now();
      const answer = await fetch(`${victim.address}/health/live`, { signal: AbortSignal.timeout(30_000) });
      await answer.arrayBuffer();
      watched.slowestMs = Math.max(watched.slowestMs, performance.now() - since);
      watched.rose = Math.max(watched.rose, (await residentBytes(pid)) - before);
      await sleep(LOOK_MS);
    }
  };
  const looking = look();
  try {
    await work();
  } finally {
    over = true;
    await looking;
  }
  watched.heldMs = await longestHold(victim.address);
  return watched;
}

/** The same, and fails when the process was blocked, grew too much, or was replaced. Limits of time are those of a usual machine. */
export async function guarded(
  victim: Victim,
  work: () => Promise<unknown>,
  {
    mostMs = MOST_MS,
    mostBytes = MOST_BYTES,
    mostHeldMs = MOST_MS,
  }: { mostMs?: number; mostBytes?: number; mostHeldMs?: number } = {},
): Promise<Watched> {
  const watched = await watch(victim, work);
  const slow = slowness();
  expect(victim.service.child.exitCode, victim.service.output().slice(-2000)).toBeNull();
  expect(watched.slowestMs, 'milliseconds that /health/live took').toBeLessThan(mostMs * slow);
  expect(watched.heldMs, 'milliseconds that the event loop was held up').toBeLessThan(mostHeldMs * slow);
  expect(watched.rose / MIB, 'MiB that memory rose').toBeLessThan(mostBytes / MIB);
  return watched;
}

/** Other load may take the processor for as long as the limit: one good attempt of three suffices. */
export async function calmest<T>(attempt: () => Promise<T>): Promise<T> {
  return attempt().catch(attempt).catch(attempt);
}

type Bounds = NonNullable<Parameters<typeof guarded>[2]>;

/** Runs a test's work under the watchdog. */
export function watched(victim: () => Victim, work: () => Promise<unknown>, bounds?: Bounds): () => Promise<void> {
  return async () => void (await guarded(victim(), work, bounds));
}
