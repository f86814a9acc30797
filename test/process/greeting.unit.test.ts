import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { greet } from '../../src/process/greeting.ts';

const SECRET = 'a-secret-of-this-test-0123456789-abcdef';
const PRODUCTION = { NODE_ENV: 'production', DATABASE_URL: 'postgres://db.example.com/media', JWT_SECRET: SECRET };

function greeted(settings: Record<string, string>, developmentSecret?: string) {
  const logged: string[] = [];
  let printed = '';
  const log = { info: (...words: unknown[]) => logged.push(String(words.at(-1))) };
  greet({
    config: loadConfig(settings),
    version: '1.2.3',
    output: { write: (text: string) => (printed += text) },
    log: { ...log, warn: log.info } as never,
    baseUrl: 'http://0.0.0.0:8080',
    developmentSecret,
  });
  return { logged, printed };
}

test.each([
  ['0.0.0.0', true],
  ['10.0.0.7', true],
  ['127.0.0.1', false],
  ['localhost', false],
  ['::1', false],
])(
  'on HOST=%s without PUBLIC_BASE_URL a warning says that callers elsewhere cannot use the URLs: %s',
  (HOST, warns) => {
    for (const settings of [{ HOST }, { ...PRODUCTION, HOST }]) {
      const isWarned = greeted(settings).logged.some((line) => line.startsWith('PUBLIC_BASE_URL is not set'));
      expect(isWarned).toBe(warns);
    }
    expect(greeted({ HOST, PUBLIC_BASE_URL: 'https://media.example.com' }).logged).toEqual([]);
  },
);

test('the page of the API is named where it is served', () => {
  expect(greeted({}).printed).toContain('http://0.0.0.0:8080/docs');
  expect(greeted({ DOCS: 'false' }).printed).not.toContain('/docs');
});

test('in production the address goes to the log, and neither a token nor a command is printed', () => {
  const { logged, printed } = greeted({ ...PRODUCTION, PUBLIC_BASE_URL: 'https://media.example.com' });
  expect(logged).toEqual(['mediakeep 1.2.3 listens on http://0.0.0.0:8080']);
  expect(printed).toBe('');
});

test('in development the token is printed with a command that needs no file, but only if the secret was made for it', () => {
  expect(greeted({}, SECRET).printed).toMatch(
    /Development token[\s\S]+\neyJ[\w.-]+\n[\s\S]+curl -sS .*"type":"base64"/,
  );
  expect(greeted({ JWT_SECRET: SECRET }).printed).not.toContain('eyJ');
});
