import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

// Ids of older systems and labels of runs are names that any user may assign. Each user's own come first, and no one takes
// another's.
let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

type Headers = Record<string, string>;
const NOBODY: Headers = {};
let salt = 0;
/** Returns the id, and the picture. */
async function store(user: string, fields: object): Promise<{ id: string; picture: Buffer }> {
  const picture = png(3, 3, (salt += 1));
  const payload = { ...fields, source: { type: 'base64', data: picture.toString('base64') } };
  const made = await t.app.inject({ method: 'POST', url: '/v1/media', headers: asUser(user), payload });
  expect(made.statusCode).toBe(201);
  return { id: made.json().id, picture };
}
async function get(url: string, headers: Headers): Promise<{ status: number; code?: string; picture?: Buffer }> {
  const answer = await t.app.inject({ url, headers });
  if (answer.statusCode === 200) return { status: 200, picture: answer.rawPayload };
  return { status: answer.statusCode, code: answer.json().code };
}
const image = (id: string, headers: Headers, query = '') => get(`/api/images/${id}/data${query}`, headers);
const ofRun = (runId: string, headers: Headers, query = '') => get(`/api/media/image/${runId}${query}`, headers);
const got = ({ picture }: { picture: Buffer }) => ({ status: 200, picture });
const NOT_FOUND = { status: 404, code: 'not_found' };
const NO_TOKEN = { status: 401, code: 'token_missing' };

test('the id of an item is never another’s external id', async () => {
  const hers = await store('alice', { visibility: 'public' });
  const private_ = await store('alice', {});
  for (const { id } of [hers, private_]) await store('bob', { externalId: id, visibility: 'public' });
  for (const headers of [NOBODY, asUser('alice'), asUser('bob'), asAdmin()])
    expect(await image(hers.id, headers)).toEqual(got(hers));
  expect(await image(private_.id, NOBODY)).toEqual(NO_TOKEN);
  expect(await image(private_.id, asUser('carol'))).toEqual(NOT_FOUND);
  expect(await image(private_.id, asUser('alice'))).toEqual(got(private_));
  expect(await image(private_.id, asAdmin())).toEqual(got(private_));
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${private_.id}`, headers: asUser('alice') });
  // A deleted item keeps its URL, too.
  expect(await image(private_.id, NOBODY)).toEqual(NO_TOKEN);
  expect(await image(private_.id, asAdmin())).toEqual(NOT_FOUND);
});

test("a user’s own external id is found even if it equals the id of another's private item", async () => {
  const private_ = await store('alice', {});
  const old = await store('bob', { externalId: private_.id });
  expect(await image(private_.id, asUser('bob'))).toEqual(got(old));
});

test('without a token an external id counts while all of its items have one owner, including private but not deleted ones', async () => {
  const first = await store('dora', { externalId: 'old-1', visibility: 'public' });
  expect(await image('old-1', NOBODY)).toEqual(got(first));
  const newest = await store('dora', { externalId: 'old-1', visibility: 'public' });
  await store('dora', { externalId: 'old-1' });
  expect(await image('old-1', NOBODY)).toEqual(got(newest));
  const others = await store('bob', { externalId: 'old-1' });
  expect(await image('old-1', NOBODY)).toEqual(NO_TOKEN);
  expect(await image('old-1', asUser('carol'))).toEqual(NOT_FOUND);
  expect(await image('old-1', asUser('bob'))).toEqual(got(others));
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${others.id}`, headers: asUser('bob') });
  expect(await image('old-1', NOBODY)).toEqual(got(newest));
});

test('a private external id and a missing one get the same response', async () => {
  await store('dora', { externalId: 'private-1' });
  for (const headers of [NOBODY, asUser('carol')])
    expect(await image('private-1', headers)).toEqual(await image('nothing-1', headers));
  for (const query of ['?userId=dora', '?userId=nobody'])
    expect(await image('private-1', asUser('carol'), query)).toEqual(NOT_FOUND);
});

test('userId names the owner among whose items an external id is looked up', async () => {
  const doras = await store('dora', { externalId: 'both-1', visibility: 'public' });
  const bobs = await store('bob', { externalId: 'both-1' });
  expect(await image('both-1', NOBODY, '?userId=dora')).toEqual(got(doras));
  expect(await image('both-1', asUser('bob'), '?userId=dora')).toEqual(got(doras));
  expect(await image('both-1', NOBODY, '?userId=bob')).toEqual(NO_TOKEN);
  expect(await image('both-1', asUser('dora'), '?userId=bob')).toEqual(NOT_FOUND);
  const refused = await t.app.inject({ url: '/api/images/both-1/data', headers: asAdmin() });
  expect(refused.json()).toMatchObject({
    status: 409,
    code: 'ambiguous',
    field: 'userId',
    detail: expect.stringContaining("'userId'"),
  });
  expect(await image('both-1', asAdmin(), '?userId=bob')).toEqual(got(bobs));
  expect(await image('both-1', asAdmin(), '?userId=dora')).toEqual(got(doras));
  expect(await image('both-1', asAdmin(), '?userId=nobody')).toEqual(NOT_FOUND);
  // Only that owner's items count: another user's item with this id is not meant.
  const numbered = await store('bob', { externalId: doras.id, visibility: 'public' });
  expect(await image(doras.id, asAdmin(), '?userId=bob')).toEqual(got(numbered));
  expect(await image(doras.id, asAdmin(), '?userId=dora')).toEqual(got(doras));
  expect((await image('both-1', NOBODY, '?userId=')).status).toBe(400);
  expect(await get('/api/images/both-1/network-volume?userId=dora', NOBODY)).toEqual(got(doras));
});

test('a run label returns the caller’s own output, else that of a sole owner, counting private items', async () => {
  const first = await store('erin', { runId: 'label-1', visibility: 'public' });
  const second = await store('erin', { runId: 'label-1' });
  expect(await ofRun('label-1', NOBODY)).toEqual(got(first));
  expect(await ofRun('label-1', NOBODY, '?n=2')).toEqual(NO_TOKEN);
  expect(await ofRun('label-1', asUser('erin'), '?n=2')).toEqual(got(second));
  expect(await ofRun('label-1', asAdmin(), '?n=2')).toEqual(got(second));
  expect(await ofRun('label-1', asAdmin(), '?n=3')).toEqual(NOT_FOUND);
  expect(await get('/api/media/audio/label-1', asUser('erin'))).toEqual(NOT_FOUND);
  const slipped = await store('bob', { runId: 'label-1', visibility: 'public' });
  for (const query of ['', '?n=2']) {
    expect(await ofRun('label-1', NOBODY, query)).toEqual(NO_TOKEN);
    expect(await ofRun('label-1', asUser('carol'), query)).toEqual(NOT_FOUND);
  }
  expect(await ofRun('label-1', asUser('erin'))).toEqual(got(first));
  expect(await ofRun('label-1', asUser('bob'))).toEqual(got(slipped));
  // A service is told to name the owner, and may; so may anyone for public items.
  const ambiguous = { status: 409, code: 'ambiguous' };
  for (const url of ['image', 'info', 'run'].map((kind) => `/api/media/${kind}/label-1`)) {
    const admin = async (query = '') => (await t.app.inject({ url: `${url}${query}`, headers: asAdmin() })).statusCode;
    expect((await t.app.inject({ url, headers: asAdmin() })).json()).toMatchObject(ambiguous);
    expect(await admin('?userId=erin')).toBe(200);
    expect(await admin('?userId=nobody')).toBe(404);
  }
  expect(await ofRun('label-1', NOBODY, '?userId=erin')).toEqual(got(first));
  expect(await ofRun('label-1', NOBODY, '?userId=erin&n=2')).toEqual(NO_TOKEN);
  // While all of hers are private, his public one does not replace them.
  await store('erin', { runId: 'label-2' });
  await store('bob', { runId: 'label-2', visibility: 'public' });
  expect(await ofRun('label-2', NOBODY)).toEqual(NO_TOKEN);
});

test('a run belongs to its owner, whatever others label with its id', async () => {
  const begun = await t.app.inject({
    method: 'POST',
    url: '/v1/runs',
    headers: asUser('erin'),
    payload: { inputText: 'x' },
  });
  const { runId } = begun.json();
  await store('bob', { runId, visibility: 'public' });
  expect(await ofRun(runId, NOBODY)).toEqual(NO_TOKEN);
  expect(await ofRun(runId, asUser('bob'))).toEqual(NOT_FOUND);
  const hers = await store('erin', { runId, visibility: 'public' });
  for (const headers of [NOBODY, asUser('bob'), asUser('erin'), asAdmin()])
    expect(await ofRun(runId, headers)).toEqual(got(hers));
});
