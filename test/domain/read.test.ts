import { afterAll, beforeAll, expect, test } from 'vitest';
import { contentLocations, itemForReading, openHotContent } from '../../src/domain/read.ts';
import { AppError } from '../../src/errors.ts';
import { png } from '../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp({});
});
afterAll(() => t.close());

test('a reader that has gone away is no failure of the store: nothing else is tried, and no error is logged', async () => {
  const payload = { source: { type: 'base64', data: png(2, 2).toString('base64') } };
  const stored = await t.app.inject({ method: 'POST', url: '/v1/media', headers: asUser('ann'), payload });
  const item = await itemForReading(t.deps, { type: 'signature' }, { id: stored.json().id });
  const locations = await contentLocations(t.deps, item);
  const gone = new AppError('invalid_request', 'The client closed the connection.');
  const before = t.logged();
  for (const range of [undefined, { start: 1, end: 2 }])
    await expect(openHotContent(t.deps, item, locations, range, AbortSignal.abort(gone))).rejects.toBe(gone);
  expect(t.logged().slice(before.length)).not.toContain('could not be read');
});
