import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../src/db/embedded/free-port.ts';
import { startEmbeddedPostgres } from '../src/db/embedded/embedded-postgres.ts';
import type { Stage } from './stage.ts';
import type { Section } from './suite.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const TICKS_PER_SECOND = 100;

interface Cost {
  /** Of the process itself, in user and system mode. */
  cpuSeconds: number;
  seconds: number;
}

/** CPU time and duration of a start, beside Node's own and that of a server with the same plugins. */
export async function startSuite(stage: Stage): Promise<Section> {
  const dataDir = path.join(stage.folder, 'start');
  // Runs all the time: a database server's start is not the service's.
  const postgres = await startEmbeddedPostgres({ dataDir });
  const env = { DATA_DIR: dataDir, DATABASE_URL: postgres.connectionString, LOG_LEVEL: 'warn' };
  const cases: Record<string, () => Promise<Cost>> = {
    '`node -e 0`': () => untilEnd(['-e', '0'], env),
    '`mediakeep --help`': () => untilEnd(['src/cli/bin.js', '--help'], env),
    'Fastify with the same plugins, until it answers': () => untilReady(['bench/bare-fastify.ts'], env),
    'the service, until it is ready': () =>
      untilReady(['--enable-source-maps', '--min-semi-space-size=8', '--expose-gc', 'src/main.ts'], env),
  };
  const costs = new Map<string, Cost[]>(Object.keys(cases).map((name) => [name, []]));
  // The first round fills Node's compile cache and migrates the database.
  for (let round = 0; round <= stage.rounds; round += 1)
    for (const [name, run] of Object.entries(cases)) {
      const cost = await run();
      if (round > 0) costs.get(name)?.push(cost);
    }
  await postgres.stop();
  const first = median((costs.get('`node -e 0`') ?? []).map(({ cpuSeconds }) => cpuSeconds));
  const rows = [...costs].map(([name, all]) => {
    const cpu = median(all.map(({ cpuSeconds }) => cpuSeconds));
    const seconds = median(all.map((cost) => cost.seconds));
    return `| ${name} | ${cpu.toFixed(2)} | ${(cpu / first).toFixed(1)} | ${seconds.toFixed(2)} |`;
  });
  return {
    title: 'Start',
    about: `Medians of ${stage.rounds} starts, after one that filled Node's compile cache; PostgreSQL runs already.`,
    text: ['| what | s of CPU | × `node -e 0` | s |', '|---|---|---|---|', ...rows].join('\n'),
  };
}

async function untilEnd(words: readonly string[], env: Record<string, string>): Promise<Cost> {
  const started = performance.now();
  // Children that have ended count to their parent, which `time` of the shell shows.
  const child = spawn('bash', ['-c', 'TIMEFORMAT="%U %S"; time "$@" >/dev/null', '-', process.execPath, ...words], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text += String(chunk)));
  await new Promise((resolve) => child.on('close', resolve));
  const [user = 0, system = 0] = (text.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  return { cpuSeconds: user + system, seconds: (performance.now() - started) / 1000 };
}

async function untilReady(words: readonly string[], env: Record<string, string>): Promise<Cost> {
  const port = await freePort();
  const started = performance.now();
  const child = spawn(process.execPath, words, {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: path.join(env['DATA_DIR'] ?? '', 'cache'),
      ...env,
      PORT: String(port),
    },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  for (;;) {
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready || child.exitCode !== null) break;
    await sleep(20);
  }
  const cost = { cpuSeconds: cpuSecondsOf(child.pid ?? 0), seconds: (performance.now() - started) / 1000 };
  child.kill('SIGTERM');
  await ended;
  return cost;
}

function cpuSecondsOf(pid: number): number {
  // The fields behind the name, which may hold spaces: utime and stime are the 12th and 13th of them.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
