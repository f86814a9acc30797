import { afterAll, beforeAll, expect, test } from 'vitest';
import { addJobOutputs } from '../../../src/db/jobs/job-outputs.ts';
import { recordFailure } from '../../../src/domain/answers/record-outputs.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

const failure = (jobId: string, more: { partial?: boolean } = {}) =>
  t.deps.db.transaction().execute((trx) =>
    recordFailure(
      t.deps,
      trx,
      { provider: 'fal', jobId },
      {
        fields: { userId: 'ann', tags: [], jobId },
        error: 'CUDA out of memory',
        ...more,
      },
    ),
  );

test('a failure becomes one item, however often it is told, unless the job has outputs', async () => {
  const first = await failure('none');
  expect(first).toBeDefined();
  expect(await failure('none')).toBe(first);

  const source = { type: 'base64', data: png(2, 2).toString('base64') };
  const made = await t.app.inject({ method: 'POST', url: '/v1/media', headers: asUser('ann'), payload: { source } });
  await t.deps.db
    .transaction()
    .execute((trx) =>
      addJobOutputs(trx, { provider: 'fal', jobId: 'some' }, [{ mediaId: made.json().id, identities: ['sha256:x'] }]),
    );
  expect(await failure('some')).toBeUndefined();
  const partial = await failure('some', { partial: true });
  expect(partial).toBeDefined();
  expect(await failure('some')).toBe(partial);
});
