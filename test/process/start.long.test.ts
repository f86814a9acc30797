import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { startEmbeddedPostgres } from '../../src/db/embedded/embedded-postgres.ts';
import { type DataFolder, createDataFolder, removeDataFolder } from '../support/data-folder.ts';
import { freePort } from '../../src/db/embedded/free-port.ts';
import { CHECKOUT, type ServiceProcess, spawnService, startService } from '../support/service-process.ts';

const ROOT = process.getuid?.() === 0;
// Most tests wait for processes to start, so they run in parallel; the first one measures and runs alone.
const QUIET = { LOG_LEVEL: 'warn', WORKER_CONCURRENCY: '0' };

// Several services and database servers start here at once, on a disk that others may use.
vi.setConfig({ testTimeout: 120_000 });

const running: ServiceProcess[] = [];
const folders: DataFolder[] = [];
afterAll(async () => {
  for (const service of running) {
    service.kill('SIGTERM');
    await service.ended;
  }
  for (const folder of folders) await folder.remove();
});

async function folder(): Promise<string> {
  const made = await createDataFolder('start');
  folders.push(made);
  return made.path;
}

async function start(options: Parameters<typeof startService>[0]): Promise<ServiceProcess> {
  const service = await startService({ ...options, env: { ...QUIET, ...options.env } });
  running.push(service);
  return service;
}

/** Runs the printed line as a user who pastes it into a shell. */
async function runPrintedCurl(service: ServiceProcess): Promise<{ id: string; url: string; sha256: string }> {
  await vi.waitFor(() => expect(service.output()).toMatch(/^curl .*$/m), 15_000);
  const lines = service.output().match(/^curl .*$/gm) ?? [];
  expect(lines).toHaveLength(1);
  return JSON.parse(execFileSync('bash', ['-c', lines[0] ?? ''], { encoding: 'utf8' }));
}

function printedToken(service: ServiceProcess): string {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/m.exec(service.output())?.[0] ?? '';
}

async function storesAPicture(service: ServiceProcess): Promise<void> {
  const item = await runPrintedCurl(service);
  const headers = { authorization: `Bearer ${printedToken(service)}` };
  const response = await fetch(item.url, { headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('image/png');
  expect(response.headers.get('etag')).toBe(`"${item.sha256}"`);
  expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(50);
}

test('a first start prints its URL, a token and one curl line that stores a picture; the second start is fast and finds it', async () => {
  const DATA_DIR = path.join(await folder(), 'data with a space');
  const first = await start({ env: { DATA_DIR } });
  expect(first.output()).toContain(`listens on ${first.address}`);
  const item = await runPrintedCurl(first);
  await storesAPicture(first);
  first.kill('SIGTERM');
  expect(await first.ended).toBe(0);
  const second = await start({ env: { DATA_DIR, PORT: new URL(first.address).port } });
  process.stdout.write(
    `first start ready after ${Math.round(first.readyAfterMs)} ms, second after ${Math.round(second.readyAfterMs)} ms\n`,
  );
  // On a busy machine everything takes longer; the allowance covers work that only the first start does.
  expect(second.readyAfterMs).toBeLessThan(Math.max(6000, first.readyAfterMs));
  const headers = { authorization: `Bearer ${printedToken(first)}` };
  expect((await fetch(item.url, { headers })).status).toBe(200);
});

test.concurrent('two copies started at once on one data folder share database, secret and volume; two folders share nothing', async () => {
  const [shared, own] = [await folder(), await folder()];
  const [one, two, three] = await Promise.all([
    start({ env: { DATA_DIR: shared } }),
    start({ env: { DATA_DIR: shared } }),
    start({ env: { DATA_DIR: own } }),
  ]);
  const { id } = await runPrintedCurl(one);
  const status = async (service: ServiceProcess, token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${service.address}/v1/media/${id}/content`, { headers })).status;
  };
  expect(await status(one, printedToken(two))).toBe(200);
  expect(await status(two, printedToken(one))).toBe(200);
  expect(await status(three, printedToken(one))).toBe(401);
  expect(await status(three, printedToken(three))).toBe(404);
  await storesAPicture(two);
  await storesAPicture(three);
});

async function copyCheckout(target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const name of ['src', 'migrations', 'package.json'])
    await cp(path.join(CHECKOUT, name), path.join(target, name), { recursive: true });
  await symlink(path.join(CHECKOUT, 'node_modules'), path.join(target, 'node_modules'));
}

test.runIf(ROOT).concurrent('root starts it from a checkout and a data folder that only root may enter', async () => {
  const closed = await createDataFolder('start-closed', 0o700);
  const checkout = path.join(closed.path, 'check out');
  const dataDir = path.join(checkout, '.data');
  await copyCheckout(checkout);
  try {
    const service = await start({ env: {}, checkout });
    await storesAPicture(service);
    expect(await readFile(path.join(dataDir, 'POSTGRES-IS-ELSEWHERE.txt'), 'utf8')).toContain('/var/lib/mediakeep/');
    service.kill('SIGTERM');
    expect(await service.ended).toBe(0);
  } finally {
    await removeDataFolder(closed.path, dataDir);
  }
});

test
  .runIf(ROOT)
  .concurrent(
    'an ordinary user starts it from a checkout owned by another user, with their own data folder',
    async () => {
      const base = await folder();
      const checkout = path.join(base, 'checkout');
      await copyCheckout(checkout);
      const DATA_DIR = path.join(base, 'data');
      await mkdir(DATA_DIR);
      execFileSync('chown', ['65534:65534', DATA_DIR]);
      const as = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
      const service = await start({ env: { DATA_DIR, HOME: DATA_DIR }, checkout, as });
      expect(execFileSync('ps', ['-o', 'uid=', '-p', String(service.pid)], { encoding: 'utf8' }).trim()).toBe('65534');
      await storesAPicture(service);
      service.kill('SIGTERM');
      expect(await service.ended).toBe(0);
    },
  );

/** Standard error and output of a start that must fail. */
async function failedStart(env: Record<string, string>): Promise<string> {
  const started = spawnService({ env: { ...QUIET, ...env } });
  expect(await started.ended).toBe(1);
  return started.output();
}

test.concurrent('in production the embedded database and a generated secret are refused by name, all at once', async () => {
  const DATA_DIR = await folder();
  const output = await failedStart({ NODE_ENV: 'production', DATA_DIR });
  expect(output).toMatch(/- DATABASE_URL is missing/);
  expect(output).toMatch(/- JWT_SECRET is missing/);
  const secret = randomBytes(32).toString('hex');
  const secretOnly = await failedStart({ NODE_ENV: 'production', DATA_DIR, JWT_SECRET: secret });
  expect(secretOnly).toMatch(/DATABASE_URL is missing/);
  expect(secretOnly).not.toMatch(/- JWT_SECRET/);
  expect(secretOnly).not.toContain(secret);
});

test.each([
  ['PORT', 'eighty'],
  ['PORT', '70000'],
  ['DATABASE_URL', 'mysql://x'],
  ['DATABASE_POOL_MAX', '0'],
  ['AUTO_MIGRATE', 'perhaps'],
  ['STORAGE_PRIMARY', 'nowhere'],
  ['STORAGE_FALLBACKS', 'local,nowhere'],
  ['STORES', 'archive:tape'],
  ['LOCAL_MOUNT_ALIASES', 'relative/path'],
  ['JWT_SECRET', 'short'],
  ['JWT_JWKS_URL', 'not a url'],
  ['PUBLIC_BASE_URL', 'media.example.com'],
  ['URL_SIGNING_KEYS', 'nocolon'],
  ['URL_TTL_SECONDS', '99999999'],
  ['DEFAULT_VISIBILITY', 'secret'],
  ['DELIVERY', 'carrier pigeon'],
  ['CORS_ORIGINS', 'example.com/path'],
  ['MAX_UPLOAD_BYTES', '-1'],
  ['WORKER_CONCURRENCY', '1.5'],
  ['SHUTDOWN_GRACE_SECONDS', 'long'],
  ['LOG_LEVEL', 'loud'],
])('the wrong setting %s=%s stops the start with its name and what is allowed', async (name, value) => {
  const { loadConfig } = await import('../../src/config/load-config.ts');
  expect(() => loadConfig({ [name]: value })).toThrow(new RegExp(`- ${name}: .*allowed: `));
});

test.concurrent('several wrong settings stop the start with all of their names and without any secret', async () => {
  const wrong = { PORT: 'eighty', JWT_SECRET: 'too-short', LOG_LEVEL: 'info', DELIVERY: 'mail' };
  const output = await failedStart({ DATA_DIR: await folder(), ...wrong });
  expect(output).toMatch(/- PORT: "eighty" is not usable; allowed: /);
  expect(output).toMatch(/- DELIVERY: "mail" is not usable; allowed: redirect, proxy/);
  expect(output).toMatch(/- JWT_SECRET: the value is not usable/);
  expect(output).not.toContain('too-short');
  expect(output).not.toMatch(/at .*\.ts:\d/);
});

test.concurrent.each(['0', '8080'])(
  'a HOST that is not an address of this machine stops the start with its name, PORT=%s',
  async (PORT) => {
    const output = await failedStart({ DATA_DIR: await folder(), HOST: '192.0.2.1', PORT });
    expect(output).toContain('HOST: "192.0.2.1" is no address of this machine');
    expect(output).not.toMatch(/at .*\.ts:\d/);
  },
);

test.concurrent('an occupied port stops the start with the port and PORT in one line, and leaves no database server behind', async () => {
  const DATA_DIR = await folder();
  const port = await freePort();
  const occupier = createServer().listen(port, '127.0.0.1');
  await new Promise((resolve) => occupier.once('listening', resolve));
  const output = await failedStart({ DATA_DIR, PORT: String(port) });
  await new Promise((resolve) => occupier.close(resolve));
  expect(output).toMatch(new RegExp(`PORT: ${port} is in use`));
  expect(output).not.toMatch(/at .*\.ts:\d/);
  await expect(readFile(path.join(DATA_DIR, 'postgres/cluster/postmaster.pid'))).rejects.toThrow('ENOENT');
});

test.concurrent('an unusable volume stops the start with its path, and leaves no database server behind', async () => {
  const DATA_DIR = await folder();
  const output = await failedStart({ DATA_DIR, LOCAL_ROOT: '/dev/null/volume' });
  expect(output).toContain('/dev/null/volume');
  await expect(readFile(path.join(DATA_DIR, 'postgres/cluster/postmaster.pid'))).rejects.toThrow('ENOENT');
});

test.concurrent('a killed copy leaves its database server, which the next one joins and stops at its end', async () => {
  const DATA_DIR = await folder();
  const killed = await start({ env: { DATA_DIR } });
  const pidFile = path.join(DATA_DIR, 'postgres/cluster/postmaster.pid');
  const { id } = await runPrintedCurl(killed);
  const postmaster = (await readFile(pidFile, 'utf8')).split('\n')[0];
  killed.kill('SIGKILL');
  expect(await killed.ended).toBe('SIGKILL');
  const next = await start({ env: { DATA_DIR } });
  expect((await readFile(pidFile, 'utf8')).split('\n')[0]).toBe(postmaster);
  const headers = { authorization: `Bearer ${printedToken(next)}` };
  expect((await fetch(`${next.address}/v1/media/${id}/content`, { headers })).status).toBe(200);
  next.kill('SIGTERM');
  expect(await next.ended).toBe(0);
  await expect(readFile(pidFile)).rejects.toThrow('ENOENT');
  // No service is left, so joining now starts the server anew.
  await (await startEmbeddedPostgres({ dataDir: DATA_DIR })).stop();
});
