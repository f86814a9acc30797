import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { SETTINGS } from '../../src/config/settings.ts';
import { storeSettings } from '../../src/config/stores.ts';
import { loadConfig } from '../../src/config/load-config.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const OVERRIDES = path.join(CHECKOUT, 'deploy/compose');

interface Service {
  image?: string;
  build?: string;
  environment?: Record<string, string>;
  healthcheck?: object;
  restart?: string;
  ports?: string[];
}
interface Compose {
  services: Record<string, Service>;
}
const read = (file: string) => parse(readFileSync(file, 'utf8')) as Compose;
const FILES = [
  path.join(CHECKOUT, 'docker-compose.yml'),
  ...readdirSync(OVERRIDES)
    .filter((name) => name.endsWith('.yml'))
    .map((name) => path.join(OVERRIDES, name)),
];
const named = FILES.map((file) => [path.relative(CHECKOUT, file), read(file)] as const);

test.each(named)(
  '%s pins its images, checks the health of what stays up, and opens ports to this machine alone',
  (_file, { services }) => {
    for (const [name, { image, build, healthcheck, restart, ports = [] }] of Object.entries(services)) {
      if (image !== undefined) expect(image, name).toMatch(/:\d+\.\d+(\.\d+)?$/);
      // The image of mediakeep has its own check.
      if (restart !== undefined && build === undefined) expect(healthcheck, name).toBeDefined();
      for (const port of ports) expect(port).toMatch(/^(\$\{LISTEN:-)?127\.0\.0\.1:/);
    }
  },
);

test.each(named)('%s gives no secret, and only settings that there are', (_file, { services }) => {
  const known = new Set([
    ...Object.keys(SETTINGS.properties),
    ...Object.entries(storeSettings()).flatMap(([store, { properties }]) =>
      Object.keys(properties).map((name) => `${store.toUpperCase()}_${name}`),
    ),
  ]);
  for (const name of Object.keys(services['mediakeep']?.environment ?? {}))
    expect(known).toContain(name.replace(/_FILE$/, ''));
  for (const { environment = {} } of Object.values(services))
    for (const [name, value] of Object.entries(environment))
      if (/PASSWORD|SECRET|JWT/.test(name)) expect(value, name).toMatch(/^\/run\/mediakeep\//);
});

test('secrets are made once, whole, and fit the settings that read them', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'mediakeep-compose-'));
  const make = () => execFileSync('sh', [path.join(OVERRIDES, 'make-secrets.sh'), folder]);
  const contents = () =>
    Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]));
  make();
  const first = contents();
  expect(Object.keys(first).toSorted()).toEqual([
    'database-url',
    'jwt-secret',
    'object-store-password',
    'postgres-password',
  ]);
  expect(new Set(Object.values(first)).size).toBe(4);
  expect(first['database-url']).toBe(`postgres://mediakeep:${first['postgres-password']}@postgres:5432/mediakeep`);
  for (const name of Object.keys(first)) expect(statSync(path.join(folder, name)).mode & 0o777).toBe(0o444);
  make();
  expect(contents()).toEqual(first);
  const config = loadConfig({
    NODE_ENV: 'production',
    DATABASE_URL_FILE: path.join(folder, 'database-url'),
    JWT_SECRET_FILE: path.join(folder, 'jwt-secret'),
  });
  expect(config).toMatchObject({ JWT_SECRET: first['jwt-secret'], DATABASE_URL: first['database-url'] });
  rmSync(folder, { recursive: true });
});
