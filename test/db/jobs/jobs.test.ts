import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../src/db/database.ts';
import { type JobChange, findJob, giveJob, lockJob, updateJob } from '../../../src/db/jobs/jobs.ts';
import { type TestDatabase, createTestDatabase } from '../../support/database/test-database.ts';

let database: TestDatabase;
let open: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  open = openDatabase({ connectionString: database.connectionString, poolMax: 4, statementTimeoutMs: 30_000 });
});
afterAll(async () => {
  await open.close();
  await database.drop();
});

let count = 0;
async function begin(fields?: { prompt: string }) {
  const name = { provider: 'fal', jobId: `j-${(count += 1)}` };
  const { job, made } = await open.db.transaction().execute((trx) => lockJob(trx, name, { userId: 'alice', fields }));
  return { name, job, made };
}

const CHANGES: JobChange = {
  status: 'failed',
  progress: 40,
  error: 'no',
  errorClass: 'Oom',
  fields: { prompt: 'b' },
  timings: { delayTime: 5 },
  startedAt: '2026-11-21T01:00:00.000Z',
  completedAt: '2026-11-21T02:00:00.000Z',
};

test.each(Object.entries(CHANGES))('a change of %s is kept, and changes nothing else', async (field, value) => {
  const { name, job } = await begin({ prompt: 'a' });
  const changed = await open.db.transaction().execute((trx) => updateJob(trx, name, { [field]: value }));
  const known = await findJob(open.db, name);
  expect(known).toEqual(changed);
  expect(known).toEqual({ ...job, updatedAt: known?.updatedAt, [field]: value });
});

test('a job is made once, and keeps the fields that it was made with', async () => {
  const { name, job, made } = await begin({ prompt: 'a' });
  expect(made).toBe(true);
  expect(job).toMatchObject({ ...name, userId: 'alice', status: 'queued', progress: null, fields: { prompt: 'a' } });
  const again = await open.db.transaction().execute((trx) => lockJob(trx, name, { userId: 'bob', fields: {} }));
  expect(again).toEqual({ job, made: false });
  expect(await findJob(open.db, { ...name, provider: 'other' })).toBeUndefined();
});

test('a job that is given to another user starts afresh', async () => {
  const { name, job } = await begin();
  await open.db.transaction().execute((trx) => updateJob(trx, name, CHANGES));
  const given = await open.db.transaction().execute((trx) => giveJob(trx, name, 'bob'));
  expect(given).toEqual({ ...job, userId: 'bob', updatedAt: given.updatedAt });
});

test('each change of a job is an event of its user', async () => {
  const { name } = await begin();
  await open.db.transaction().execute((trx) => updateJob(trx, name, { status: 'running' }));
  await open.db.transaction().execute((trx) => giveJob(trx, name, 'bob'));
  const events = await open.db.selectFrom('media_event_outbox').selectAll().where('job_id', '=', name.jobId).execute();
  expect(events).toHaveLength(3);
  expect(events.map((event) => event.user_id).toSorted()).toEqual(['alice', 'alice', 'bob']);
});
