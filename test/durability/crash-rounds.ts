import { createHash, randomBytes, randomInt } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSigner } from 'fast-jwt';
import { pino } from 'pino';
import { loadConfig } from '../../src/config/load-config.ts';
import { startEmbeddedPostgres } from '../../src/db/embedded/embedded-postgres.ts';
import { sweepIntents } from '../../src/domain/staging/sweep.ts';
import { type Services, openServices } from '../../src/process/open-database.ts';
import { temporaryName } from '../../src/storage/local/temporary.ts';
import { createDataFolder } from '../support/data-folder.ts';
import { bigPng, multipart } from '../support/sample-files.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { until } from '../support/until.ts';

export interface CrashReport {
  rounds: number;
  /** Uploads that were answered with 201. */
  acknowledged: number;
  /** Uploads that the kill interrupted. */
  cut: number;
  /** Rounds in which the kill left something behind. */
  roundsWithLeftovers: number;
  /** Intents, with or without a file, that a sweep removed. */
  leftoversSwept: number;
  failures: string[];
}

interface Acknowledged {
  id: string;
  sha256: string;
  /** A purge was sent: `maybe` when its response never came. */
  purged?: 'maybe' | 'yes';
}

const SECRET = randomBytes(32).toString('hex');
const UPLOADERS = 6;
const MIN_BYTES = 1024;
const MAX_BYTES = 8 * 1024 ** 2;

/**
 * Starts the real service, uploads concurrently, kills it with SIGKILL at a random moment, restarts it and compares what it
 * acknowledged with what exists; `rounds` times on one database and one volume. A kill leaves the kernel's page cache intact, so
 * this tests the order of steps and not a power failure.
 */
export async function runCrashRounds(rounds: number, log: (line: string) => void = () => {}): Promise<CrashReport> {
  const folder = await createDataFolder('crash');
  const dataDir = folder.path;
  // Joined for the whole run, so that the server outlives the killed services and is stopped at the end.
  const postgres = await startEmbeddedPostgres({ dataDir });
  const report: CrashReport = {
    rounds: 0,
    acknowledged: 0,
    cut: 0,
    roundsWithLeftovers: 0,
    leftoversSwept: 0,
    failures: [],
  };
  const env = { DATA_DIR: dataDir, JWT_SECRET: SECRET, LOG_LEVEL: 'error', WORKER_CONCURRENCY: '0' };
  const inspector = await openServices(loadConfig(env), postgres.connectionString, pino({ level: 'silent' }));
  const run = { service: await startService({ env }), env, inspector, volume: path.join(dataDir, 'volume'), report };
  const kept: Acknowledged[] = [];
  try {
    for (let round = 1; round <= rounds; round += 1) {
      const before = report.failures.length;
      kept.push(...(await crashRound(run, round % 2 === 0)));
      report.rounds = round;
      if (report.failures.length > before || round % 10 === 0)
        log(`round ${round}: ${report.acknowledged} acknowledged, ${report.failures.length} failures`);
      for (const failure of report.failures.slice(before)) log(`FAILURE ${failure}`);
    }
    for (const item of kept) await checkItem(run, item, 'at the end');
  } finally {
    run.service.kill('SIGKILL');
    await run.service.ended;
    await inspector.close();
    await postgres.stop();
    await folder.remove();
  }
  return report;
}

interface Run {
  service: ServiceProcess;
  env: Record<string, string>;
  inspector: Services;
  volume: string;
  report: CrashReport;
}

/**
 * One round; returns the items that must also exist at the end of the run.
 * @param working whether to kill only after some uploads have been acknowledged, however long that takes
 */
async function crashRound(run: Run, working: boolean): Promise<Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  const state = { over: false };
  const uploaders = Array.from({ length: UPLOADERS }, () => keepUploading(run, acknowledged, state));
  if (working) await until(async () => acknowledged.length > 2 || run.report.failures.length > 0, 60);
  await sleep(randomInt(20, 500));
  run.service.kill('SIGKILL');
  state.over = true;
  await run.service.ended;
  await Promise.all(uploaders);
  run.report.acknowledged += acknowledged.length;
  run.service = await startService({ env: run.env });
  for (const item of acknowledged) await checkItem(run, item, 'after the restart');
  await checkVolume(run, 'after the restart');
  await sweep(run);
  await checkVolume(run, 'after the sweep');
  for (const item of acknowledged) await checkItem(run, item, 'after the sweep');
  // A few stay until the end; the others are purged, so that the disk does not fill.
  const alive = acknowledged.filter((item) => item.purged === undefined);
  for (const item of alive.slice(2)) await purge(run, item);
  return alive.slice(0, 2);
}

function authorization(): Record<string, string> {
  const token = createSigner({ key: SECRET, expiresIn: 600_000 })({ sub: 'crash', scope: 'media:read media:write' });
  return { authorization: `Bearer ${token}` };
}

async function keepUploading(run: Run, acknowledged: Acknowledged[], state: { over: boolean }): Promise<void> {
  while (!state.over) {
    const bytes = Math.round(MIN_BYTES * (MAX_BYTES / MIN_BYTES) ** Math.random());
    const file = Buffer.concat([bigPng(200), randomBytes(bytes - 200)]);
    const sha256 = createHash('sha256').update(file).digest('hex');
    try {
      const response = await fetch(`${run.service.address}/v1/media`, { method: 'POST', ...request(file) });
      const item = (await response.json()) as { id: string; sha256: string; detail?: string };
      if (response.status !== 201) {
        run.report.failures.push(`an upload was answered with ${response.status}: ${item.detail}`);
        return;
      }
      if (item.sha256 !== sha256) run.report.failures.push(`item ${item.id} was stored with another sha256`);
      const mine: Acknowledged = { id: item.id, sha256 };
      acknowledged.push(mine);
      if (Math.random() < 0.2) await purge(run, mine);
    } catch {
      run.report.cut += 1;
    }
  }
}

function request(file: Buffer): { headers: Record<string, string>; body: Uint8Array | string } {
  const kind = randomInt(3);
  if (kind === 0) {
    const form = multipart([
      { name: 'prompt', value: 'crash' },
      { name: 'file', value: file, filename: 'a.png', type: 'image/png' },
      { name: 'tags', value: 'late' },
    ]);
    return { headers: { ...form.headers, ...authorization() }, body: new Uint8Array(form.payload) };
  }
  if (kind === 1) return { headers: { 'content-type': 'image/png', ...authorization() }, body: new Uint8Array(file) };
  return {
    headers: { 'content-type': 'application/json', ...authorization() },
    body: JSON.stringify({ prompt: 'crash', source: { type: 'base64', data: file.toString('base64') } }),
  };
}

async function purge(run: Run, item: Acknowledged): Promise<void> {
  item.purged = 'maybe';
  const url = `${run.service.address}/v1/media/${item.id}?purge=true`;
  const response = await fetch(url, { method: 'DELETE', headers: authorization() });
  if (response.status === 204) item.purged = 'yes';
  else run.report.failures.push(`purging ${item.id} was answered with ${response.status}`);
}

async function checkItem(run: Run, item: Acknowledged, when: string): Promise<void> {
  const response = await fetch(`${run.service.address}/v1/media/${item.id}/content`, { headers: authorization() });
  const hash = createHash('sha256')
    .update(Buffer.from(await response.arrayBuffer()))
    .digest('hex');
  const there = response.status === 200 && hash === item.sha256;
  const gone = response.status === 404;
  const right = item.purged === 'yes' ? gone : item.purged === 'maybe' ? there || gone : there;
  if (!right)
    run.report.failures.push(
      `${when}: item ${item.id} (purged: ${item.purged ?? 'no'}) answers ${response.status}, sha256 ${hash}, acknowledged as ${item.sha256}`,
    );
}

/** Every row has its whole bytes, and every file belongs to a row or an intent. */
async function checkVolume(run: Run, when: string): Promise<void> {
  const { db } = run.inspector.database;
  const intents = await db.selectFrom('storage_intents').select('key').execute();
  const rows = await db.selectFrom('media_locations').select(['key', 'bytes', 'sha256']).execute();
  const known = new Set<string>();
  for (const { key } of intents) known.add(key).add(temporaryName(key, { folded: (name) => name }));
  for (const row of rows) {
    known.add(row.key);
    const file = path.join(run.volume, row.key);
    const found = await stat(file).catch(() => undefined);
    if (found?.size !== Number(row.bytes)) run.report.failures.push(`${when}: ${row.key} has ${found?.size} bytes`);
    else if ((await sha256Of(file)) !== row.sha256?.trim())
      run.report.failures.push(`${when}: ${row.key} has other bytes than its row says`);
  }
  const entries = await readdir(run.volume, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const key = path.relative(run.volume, path.join(entry.parentPath, entry.name));
    if (!entry.isDirectory() && key !== '.mediakeep-volume' && !known.has(key))
      run.report.failures.push(`${when}: the file ${key} belongs to no row and no intent`);
  }
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Expires the leases, then sweeps; afterwards no intent may be left. */
async function sweep(run: Run): Promise<void> {
  const { database, stores } = run.inspector;
  const intents = await database.db.selectFrom('storage_intents').select('key').execute();
  await database.pool.query(`UPDATE storage_intents SET leased_until = now() - interval '1 second'`);
  const swept = await sweepIntents({ db: database.db, stores, log: pino({ level: 'silent' }) });
  run.report.leftoversSwept += swept.removed;
  if (intents.length > 0) run.report.roundsWithLeftovers += 1;
  const left = await database.db.selectFrom('storage_intents').select('key').execute();
  if (swept.failed > 0 || left.length > 0 || swept.removed !== intents.length)
    run.report.failures.push(`the sweep removed ${swept.removed} of ${intents.length} leftovers, ${left.length} stay`);
}
