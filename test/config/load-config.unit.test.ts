import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ConfigError, loadConfig, loadDatabaseConfig } from '../../src/config/load-config.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

function problems(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test('every setting has a default', () => {
  const config = loadConfig({});
  expect(config).toMatchObject({
    HOST: '127.0.0.1',
    PORT: 8080,
    STORAGE_PRIMARY: 'local',
    URL_TTL_SECONDS: 900,
    MAX_UPLOAD_BYTES: 5 * 1024 ** 3,
    MAX_JSON_BYTES: 64 * 1024 ** 2,
    DEFAULT_VISIBILITY: 'private',
  });
  expect(config.stores).toMatchObject([
    { name: 'local', driver: 'local', settings: { ROOT: `${config.DATA_DIR}/volume` } },
    { name: 'database', driver: 'database', settings: {} },
  ]);
  expect(Object.isFrozen(config)).toBe(true);
});

test('text becomes the type of its setting, and spaces around it are dropped', () => {
  const config = loadConfig({ PORT: ' 9000 ', AUTO_MIGRATE: 'false', HOST: ' ::1 ', DELIVERY: 'proxy' });
  expect(config).toMatchObject({ PORT: 9000, AUTO_MIGRATE: false, HOST: '::1', DELIVERY: 'proxy' });
});

test('an empty value counts as not set', () => {
  expect(loadConfig({ PORT: '', DATABASE_URL: ' ' }).PORT).toBe(8080);
});

test.each([
  ['PORT', 'abc', 'a whole number from 0 to 65535'],
  ['PORT', '70000', 'a whole number from 0 to 65535'],
  ['PORT', '1.5', 'a whole number'],
  ['AUTO_MIGRATE', 'maybe', 'true or false'],
  ['LOG_LEVEL', 'loud', 'fatal, error, warn'],
  ['DATABASE_URL', 'mysql://x', 'postgres://'],
  ['PUBLIC_BASE_URL', 'media.example.com', 'https://media.example.com'],
  ['JWT_SECRET', 'short', 'at least 32 characters'],
  ['URL_SIGNING_KEYS', 'k1:short', 'at least 32 characters'],
  ['STORAGE_PRIMARY', 's9', 'local'],
  ['STORES', 'x:nonsense', 'local'],
  ['STORES', 'local:local', 'a name that no driver'],
  ['STORAGE_MIRRORS', 'local', 'other stores'],
  ['CORS_ORIGINS', 'https://a.example/path', 'without a path'],
  ['DEFAULT_VISIBILITY', 'secret', 'private, public'],
  ['TRUSTED_PROXIES', 'x', '10.0.0.0/8'],
  ['FETCH_TRUSTED_HOSTS', 'http://a', 'without https://'],
  ['EXTERNAL_URL_HOSTS', 'http://x/', 'without https://'],
  ['MAX_UPLOAD_BYTES', '-1', 'a whole number'],
  ['URL_TTL_SECONDS', '604801', 'a whole number from 1 to 604800'],
])('%s=%s is refused, and the error names the setting and what is allowed', (name, value, allowed) => {
  const found = problems({ [name]: value });
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(`${name}:`);
  expect(found[0]).toContain(allowed);
});

test('an error never shows the value of a secret', () => {
  expect(problems({ JWT_SECRET: 'hunter2', DATABASE_URL: 'mysql://u:hunter2@h' }).join()).not.toContain('hunter2');
});

test('an error lists every problem', () => {
  expect(problems({ PORT: 'x', LOG_LEVEL: 'y', STORES: 'archive:local' })).toHaveLength(3);
});

test('production refuses the embedded database and a generated secret, by name', () => {
  const found = problems({ NODE_ENV: 'production' }).join('\n');
  expect(found).toContain('DATABASE_URL');
  expect(found).toContain('JWT_SECRET');
  expect(problems({ NODE_ENV: 'production', DATABASE_URL: 'postgres://h/d', JWT_SECRET: 'x'.repeat(32) })).toEqual([]);
});

test.each(['Production', 'PRODUCTION', 'prod', 'production1'])('%s is refused as a misspelt production', (word) => {
  expect(problems({ NODE_ENV: word })).toEqual([expect.stringMatching(/^NODE_ENV: .* allowed: production, or/)]);
});

test.each(['development', 'test', 'staging', 'reproduction'])('%s is no production', (word) => {
  expect(loadConfig({ NODE_ENV: word }).production).toBe(false);
});

test('the metrics have another port than the service', () => {
  expect(problems({ PORT: '9000', METRICS_PORT: '9000' })).toEqual([
    'METRICS_PORT: 9000 is PORT, too; allowed: another port, or none',
  ]);
  expect(problems({ PORT: '9000', METRICS_PORT: '9001' })).toEqual([]);
});

test('a named store reads the settings that begin with its name', () => {
  const config = loadConfig({ STORES: 'my-archive:local', MY_ARCHIVE_ROOT: '/mnt/a', STORAGE_PRIMARY: 'my-archive' });
  expect(config.stores.map((store) => [store.name, store.settings['ROOT']])).toContainEqual(['my-archive', '/mnt/a']);
  expect(problems({ STORES: 'my-archive:local' }).join()).toContain('MY_ARCHIVE_ROOT is missing');
});

const NOT_OURS = new Set(['node_modules', '.git', '.data', 'coverage', 'package-lock.json']);

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !NOT_OURS.has(name))
    .flatMap((entry) => {
      const file = path.join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(file) : entry.isFile() ? [file] : [];
    });
}

/** Values of settings with secrets in any file of the repository: documentation, examples, tests, benchmarks. */
function secretsInRepository(): { file: string; secret: string }[] {
  const secrets = /(?:JWT_SECRET|URL_SIGNING_KEYS)['"]?\s*[=:]\s*['"]?(?:\$\{\w+:-)?(?:\w+:)?([\w.+/=-]{32,})/g;
  return filesBelow(CHECKOUT).flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(secrets)].map(([, secret = '']) => ({ file, secret })),
  );
}

test('production refuses every secret that anyone can read in this repository', () => {
  const found = secretsInRepository();
  expect(found.map(({ file }) => path.relative(CHECKOUT, file))).toContain(path.join('test', 'support', 'test-app.ts'));
  const production = { NODE_ENV: 'production', DATABASE_URL: 'postgres://u:p@db/x' };
  for (const { file, secret } of found) {
    expect(() => loadConfig({ ...production, JWT_SECRET: secret }), `${file}: ${secret}`).toThrow(
      /^[^]*JWT_SECRET is published/,
    );
    const own = { JWT_SECRET: randomBytes(32).toString('hex'), URL_SIGNING_KEYS: `k1:${secret}` };
    expect(() => loadConfig({ ...production, ...own }), `${file}: ${secret}`).toThrow(
      /URL_SIGNING_KEYS: a secret is published/,
    );
    // In development it is the tests' and the examples' own affair.
    expect(() => loadConfig({ JWT_SECRET: secret })).not.toThrow();
  }
});

test.each([
  'please-change-me-please-change-me-please',
  'your-jwt-secret-your-jwt-secret-your-jwt',
  'REPLACE_ME_REPLACE_ME_REPLACE_ME_REPLACE',
])('production refuses the placeholder %s', (secret) => {
  const production = { NODE_ENV: 'production', DATABASE_URL: 'postgres://u:p@db/x' };
  expect(() => loadConfig({ ...production, JWT_SECRET: secret })).toThrow(/JWT_SECRET is published/);
});

test.each(['WEBHOOK_SECRET_RUNPOD', 'WEBHOOK_SECRET_GENERATION', 'METRICS_TOKEN'])(
  'production refuses the secret of the guide, and one that was not replaced, as %s',
  (name) => {
    const production = { NODE_ENV: 'production', DATABASE_URL: 'postgres://h/d', JWT_SECRET: 'x'.repeat(32) };
    for (const secret of [guideSecret(), 'change-me-change-me']) {
      expect(problems({ ...production, [name]: secret })).toEqual([expect.stringContaining(`${name} is published`)]);
      expect(problems({ [name]: secret })).toEqual([]);
    }
    expect(problems({ ...production, [name]: 'one of the operator alone' })).toEqual([]);
  },
);

/** As in the first command of docs/guide.md. */
function guideSecret(): string {
  const guide = readFileSync(path.join(CHECKOUT, 'docs/guide.md'), 'utf8');
  return /WEBHOOK_SECRET_RUNPOD=(\S+)/.exec(guide)?.[1] ?? '';
}

test('a secret may stand in a file, whichever setting or store it belongs to', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'mediakeep-secrets-'));
  const file = (name: string, text: string) => {
    writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  const secret = randomBytes(32).toString('hex');
  const config = loadConfig({
    NODE_ENV: 'production',
    JWT_SECRET_FILE: file('jwt', `${secret}\n`),
    DATABASE_URL_FILE: file('url', 'postgres://u:p@db/x\n'),
    STORES: 'archive:s3',
    ARCHIVE_BUCKET: 'b',
    ARCHIVE_ACCESS_KEY_ID_FILE: file('id', 'key-id'),
    ARCHIVE_SECRET_ACCESS_KEY_FILE: file('key', 'key-secret'),
    SSL_CERT_FILE: '/no/such/file',
  });
  expect(config).toMatchObject({ JWT_SECRET: secret, DATABASE_URL: 'postgres://u:p@db/x' });
  const archive = config.stores.find(({ name }) => name === 'archive')?.settings;
  expect(archive).toMatchObject({ ACCESS_KEY_ID: 'key-id', SECRET_ACCESS_KEY: 'key-secret' });
  expect(problems({ JWT_SECRET_FILE: '/no/such/file' })).toEqual([
    'JWT_SECRET_FILE: the file /no/such/file cannot be read (ENOENT)',
  ]);
  expect(problems({ JWT_SECRET_FILE: file('empty', '\n') })).toEqual([expect.stringContaining('is empty')]);
  expect(problems({ JWT_SECRET: secret, JWT_SECRET_FILE: file('jwt', secret) })).toEqual([
    'JWT_SECRET_FILE: JWT_SECRET is set, too; give one of the two',
  ]);
  // A command that reads one setting opens no file of another.
  const database = loadDatabaseConfig({
    DATABASE_URL_FILE: path.join(folder, 'url'),
    JWT_SECRET_FILE: '/no/such/file',
  });
  expect(database.DATABASE_URL).toBe('postgres://u:p@db/x');
  rmSync(folder, { recursive: true });
});
