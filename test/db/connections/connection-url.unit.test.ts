import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { databaseAddress } from '../../../src/db/connections/address.ts';
import { ConnectionUrlError, connectionConfig } from '../../../src/db/connections/connection-url.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'mediakeep-ca-'));
const ca = path.join(folder, 'ca.pem');
const text = path.join(folder, 'text.pem');
writeFileSync(ca, '-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n');
writeFileSync(text, 'no certificate');
afterAll(() => rmSync(folder, { recursive: true }));

function problem(url: string): string {
  try {
    connectionConfig(url);
  } catch (error) {
    if (error instanceof ConnectionUrlError) return error.message;
    throw error;
  }
  return '';
}

test.each([
  ['#', '%23'],
  ['/', '%2F'],
  ['?', '%3F'],
  ['%', '%25'],
])('a password with %s that is not escaped: the message says how to write it', (character, encoded) => {
  for (const password of [
    `secr${character}et`,
    `${character}secret`,
    `12${character}secret`,
    `secret${character}`,
    `s@${character}t`,
  ]) {
    const message = problem(`postgres://user:${password}@db.example:5432/name`);
    expect(message).toContain(encoded);
    expect(message).not.toContain(password);
    expect(message).not.toMatch(/secr|et@/);
  }
});

test('any password works when it is percent-encoded, and none is shown when it is not', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (password) => {
      const config = connectionConfig(
        `postgres://user:${encodeURIComponent(password)}@db.example:6543/name?sslmode=require`,
      );
      const client = new pg.Client(config);
      expect(client).toMatchObject({ user: 'user', host: 'db.example', port: 6543, database: 'name' });
      expect(client.password).toBe(password);
    }),
  );
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('#', '/', '?', '%z'),
      fc.string(),
      (before, character, after) => {
        const password = `QX${before}${character}${after}XQ`;
        const message = problem(`postgres://user:${password}@db.example:6543/name`);
        expect(message).not.toBe('');
        expect(message).not.toContain('QX');
        expect(message).not.toContain('XQ');
      },
    ),
  );
});

test('what follows the password may hold an @, an empty host, a socket or an IPv6 address', () => {
  expect(databaseAddress('postgres://u:p@/name?host=/run/postgresql')).toBe('the socket in /run/postgresql');
  expect(databaseAddress('postgres://u:p@[::1]:77/name')).toBe('[::1]:77');
  expect(problem('postgres://db/name?user=me@tenant&password=a@b')).toBe('');
  expect(problem('postgres://u:p@a:1,b:2/name')).toContain('one host');
});

test('sslmode means what libpq means by it', () => {
  const ssl = (query: string, host = 'db') => connectionConfig(`postgres://u:p@${host}/name${query}`).ssl;
  expect(ssl('')).toBe(false);
  expect(ssl('?sslmode=disable')).toBe(false);
  expect(ssl('?sslmode=require')).toEqual({ rejectUnauthorized: false });
  expect(ssl('?sslmode=no-verify')).toEqual({ rejectUnauthorized: false });
  expect(ssl('?sslmode=verify-full')).toEqual({ rejectUnauthorized: true });
  expect(ssl(`?sslmode=verify-full&sslrootcert=${ca}`)).toEqual({ rejectUnauthorized: true, ca: expect.any(String) });
  const chain = { rejectUnauthorized: true, ca: expect.any(String), checkServerIdentity: expect.any(Function) };
  expect(ssl(`?sslmode=verify-ca&sslrootcert=${ca}`)).toEqual(chain);
  expect(ssl(`?sslmode=require&sslrootcert=${ca}`)).toEqual(chain);
  expect(ssl('?sslmode=verify-full&host=/run/postgresql')).toBe(false);
  // pg would evaluate them once more, and differently.
  expect(connectionConfig('postgres://u:p@db/n?sslmode=require&application_name=x').connectionString).toBe(
    'postgres://u:p@db/n?application_name=x',
  );
});

test.each([
  ['sslmode=prefer', 'sslmode=prefer is not supported'],
  ['sslmode=verify-ca', 'needs sslrootcert'],
  ['sslmod=require', 'sslmod is not supported'],
  ['ssl=true', 'ssl is not supported'],
  ['sslmode=verify-full&sslrootcert=/nowhere/ca.pem', '/nowhere/ca.pem cannot be read (ENOENT)'],
  ['sslmode=require&sslcert=/nowhere/cert.pem', 'sslcert: the file /nowhere/cert.pem cannot be read'],
  [`sslmode=verify-full&sslrootcert=${text}`, 'holds no certificate'],
])('%s is refused with a sentence', (query, sentence) => {
  expect(problem(`postgres://u:secret@db/name?${query}`)).toContain(sentence);
});
