import { afterAll, beforeAll, expect, test } from 'vitest';
import { locationsOf } from '../../src/db/locations.ts';
import { openContent } from '../../src/domain/read.ts';
import { AppError } from '../../src/errors.ts';
import { bigPng } from '../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

test('a reader that has gone away before the file was opened is told as no failure of its store', async () => {
  const payload = { source: { type: 'base64', data: bigPng(300_000).toString('base64') } };
  const stored = await t.app.inject({ method: 'POST', url: '/v1/media', headers: asUser('alice'), payload });
  const { id } = stored.json<{ id: string }>();
  const locations = await locationsOf(t.deps.db, id, null);
  const reason = new AppError('invalid_request', 'The client closed the connection.');
  await expect(openContent(t.deps, { id }, locations, undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(t.logged()).not.toContain('could not be read');
});
