// Case numbers in titles are those of the table in docs/threat-model.md.
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bigPng, multipart, png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const json = { 'content-type': 'application/json' };
async function files(): Promise<string[]> {
  const all = await readdir(t.volume, { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile() && entry.name !== '.mediakeep-volume').map((entry) => entry.name);
}

test('a multipart upload is stored, recorded and returned with its location', async () => {
  const file = png(3, 2, 1);
  const form = multipart([
    { name: 'filename', value: 'fox.png' },
    { name: 'tags', value: 'a' },
    { name: 'tags', value: 'b' },
    { name: 'metadata', value: '{"k":{"deep":[1,2]}}' },
    { name: 'file', value: file, filename: 'x.bin', type: 'text/html' },
    { name: 'prompt', value: 'a fox' },
  ]);
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...form.headers, ...asUser('alice') },
    payload: form.payload,
  });
  expect(response.statusCode).toBe(201);
  const item = response.json();
  expect(response.headers['location']).toBe(`/v1/media/${item.id}`);
  expect(item).toMatchObject({
    userId: 'alice',
    prompt: 'a fox',
    tags: ['a', 'b'],
    metadata: { k: { deep: [1, 2] } },
    mimeType: 'image/png',
    mediaType: 'image',
    bytes: file.length,
    sha256: sha256(file),
    width: 3,
    height: 2,
    filename: 'fox.png',
    visibility: 'private',
    status: 'success',
    storageProvider: 'local',
    url: `http://media.test/v1/media/${item.id}/content`,
  });
  expect(item.storageKey).toMatch(/^outputs\/alice\/fox-[0-9a-f]{16}\.png$/);
  expect(item.storageUrl).toBe(`http://media.test/uploads/${item.storageKey}`);
  const content = await t.app.inject({ url: `/v1/media/${item.id}/content`, headers: asUser('alice') });
  expect(content.rawPayload.equals(file)).toBe(true);
});

test('a raw body with its fields in the query is stored', async () => {
  const file = png(1, 1, 2);
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media?tags=x&tags=y&n=4&metadata=%7B%22a%22%3A1%7D',
    headers: { 'content-type': 'image/png', ...asUser('alice') },
    payload: file,
  });
  expect(response.statusCode).toBe(201);
  expect(response.json()).toMatchObject({ tags: ['x', 'y'], n: 4, metadata: { a: 1 }, sha256: sha256(file) });
});

test.each([
  ['plain base64', (file: Buffer) => file.toString('base64')],
  ['URL-safe base64 without padding', (file: Buffer) => file.toString('base64url')],
  ['base64 with line breaks', (file: Buffer) => file.toString('base64').replace(/(.{20})/g, '$1\r\n')],
  ['a data URI whose type lies', (file: Buffer) => `data:text/html;base64,${file.toString('base64')}`],
])('%s is stored', async (_name, encode) => {
  const file = png(1, 1, 3);
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...json, ...asUser('alice') },
    payload: { source: { type: 'base64', data: encode(file) } },
  });
  expect(response.statusCode).toBe(201);
  expect(response.json()).toMatchObject({ sha256: sha256(file), mimeType: 'image/png' });
});

test('an object that is in a store already is adopted, and purging the item leaves it there', async () => {
  const { writeFile, mkdir } = await import('node:fs/promises');
  await mkdir(`${t.volume}/theirs`, { recursive: true });
  await writeFile(`${t.volume}/theirs/pic.png`, png(5, 5));
  const payload = { userId: 'bob', source: { type: 'object', store: 'local', key: 'theirs/pic.png' } };
  const denied = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...json, ...asUser('bob') },
    payload,
  });
  expect(denied.statusCode).toBe(403);
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...json, ...asAdmin() },
    payload,
  });
  expect(response.json()).toMatchObject({ width: 5, storageKey: 'theirs/pic.png', sha256: sha256(png(5, 5)) });
  const again = await t.app.inject({ method: 'POST', url: '/v1/media', headers: { ...json, ...asAdmin() }, payload });
  expect(again.json()).toMatchObject({ status: 409, code: 'object_taken' });
  const purged = await t.app.inject({
    method: 'DELETE',
    url: `/v1/media/${response.json().id}?purge=true`,
    headers: asAdmin(),
  });
  expect(purged.statusCode).toBe(204);
  expect(await files()).toContain('pic.png');
  const missing = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...json, ...asAdmin() },
    payload: { userId: 'bob', source: { type: 'object', store: 'local', key: 'theirs/none.png' } },
  });
  expect(missing.json()).toMatchObject({ status: 404, code: 'not_found' });
});

test('an external item is only recorded', async () => {
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...json, ...asUser('alice') },
    payload: {
      source: {
        type: 'external',
        storageUrl: 'https://cdn.example.com/a.png',
        storageProvider: 'cdn',
        mimeType: 'image/png',
      },
    },
  });
  expect(response.json()).toMatchObject({
    storageUrl: 'https://cdn.example.com/a.png',
    storageProvider: 'cdn',
    mimeType: 'image/png',
    bytes: null,
  });
  const content = await t.app.inject({ url: `/v1/media/${response.json().id}/content`, headers: asUser('alice') });
  expect(content.json()).toMatchObject({ status: 409, code: 'not_stored' });
});

test('an item without a tool has none, and its row an empty text', async () => {
  const { id, ...made } = (
    await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { ...json, ...asUser('toolless') },
      payload: { source: { type: 'base64', data: png().toString('base64') } },
    })
  ).json();
  expect(made.toolName).toBeNull();
  const get = async (url: string) => (await t.app.inject({ url, headers: asUser('toolless') })).json();
  expect((await get(`/v1/media/${id}`)).toolName).toBeNull();
  expect((await get('/v1/media')).items[0].toolName).toBeNull();
  expect((await get('/v1/media?toolName=generateUserImage')).items).toEqual([]);
  expect((await get('/v1/media?q=generateUserImage')).items).toEqual([]);
  expect(await get('/v1/stats')).toMatchObject({ total: 1, byTool: [] });
  expect((await get('/api/images')).images[0].toolName).toBeNull();
  const row = await t.deps.db
    .selectFrom('generated_images')
    .select(['tool_name', 'search_text'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  expect(row.tool_name).toBe('');
  const patched = await t.app.inject({
    method: 'PATCH',
    url: `/v1/media/${id}`,
    headers: { ...json, ...asUser('toolless') },
    payload: { tags: ['new'] },
  });
  expect(patched.json()).toMatchObject({ toolName: null, tags: ['new'] });
});

test('rows of the older system keep its default tool, and a failed one among them names no store', async () => {
  const insert = (columns: string, values: string) =>
    sql<{ id: string }>`INSERT INTO generated_images (user_id, prompt, storage_url${sql.raw(columns)})
      VALUES ('older', '', ${sql.raw(values)}) RETURNING id`.execute(t.deps.db);
  await insert('', "'https://omegaai.dev/uploads/a.png'");
  await insert(', status', "'', 'error'");
  const response = await t.app.inject({ url: '/v1/media', headers: asUser('older') });
  expect(response.json().items).toMatchObject([
    { toolName: 'generateUserImage', status: 'error', storageUrl: null, storageProvider: null, url: null },
    {
      toolName: 'generateUserImage',
      status: 'success',
      storageUrl: 'https://omegaai.dev/uploads/a.png',
      storageProvider: 'omega',
    },
  ]);
  expect(
    (await t.app.inject({ url: '/v1/media?toolName=GENERATEUSERIMAGE', headers: asUser('older') })).json().items,
  ).toHaveLength(2);
});

test('a failed generation is a row with its error and no URL', async () => {
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...json, ...asUser('alice') },
    payload: { status: 'failed', error: 'NSFW', prompt: 'x', toolName: 'paint' },
  });
  expect(response.statusCode).toBe(201);
  expect(response.json()).toMatchObject({
    status: 'failed',
    error: 'NSFW',
    storageUrl: null,
    storageProvider: null,
    url: null,
  });
  const failures = await t.app.inject({ url: '/v1/failures', headers: asUser('alice') });
  expect(failures.json().items.map((item: { id: string }) => item.id)).toContain(response.json().id);
});

test.each([
  ['a ZIP', Buffer.from('504b0304140000000800', 'hex')],
  ['an EXE', Buffer.concat([Buffer.from('MZ'), Buffer.alloc(200)])],
  ['HTML', Buffer.from('<!doctype html><html><body>hi</body></html>')],
])('%s named .png is refused and nothing is kept', async (_name, payload) => {
  const before = (await files()).length;
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media?filename=x.png',
    headers: { 'content-type': 'image/png', ...asUser('alice') },
    payload,
  });
  expect(response.json()).toMatchObject({ status: 415, code: 'unsupported_media' });
  expect((await files()).length).toBe(before);
});

test('a digest that differs is refused with 422 and nothing is kept; a matching one is accepted', async () => {
  const file = png(1, 1, 9);
  const before = (await files()).length;
  const post = (url: string, headers: Record<string, string>) =>
    t.app.inject({
      method: 'POST',
      url,
      headers: { 'content-type': 'image/png', ...headers, ...asUser('alice') },
      payload: file,
    });
  expect((await post(`/v1/media?sha256=${'0'.repeat(64)}`, {})).json()).toMatchObject({
    status: 422,
    code: 'digest_mismatch',
  });
  const wrong = createHash('sha256').update('other').digest('base64');
  expect((await post('/v1/media', { 'content-digest': `sha-256=:${wrong}:` })).json()).toMatchObject({
    status: 422,
    code: 'digest_mismatch',
  });
  expect((await post('/v1/media', { 'content-digest': 'nonsense' })).json()).toMatchObject({
    status: 400,
    code: 'invalid_digest',
  });
  expect((await files()).length).toBe(before);
  const right = createHash('sha512').update(file).digest('base64');
  expect(
    (await post(`/v1/media?sha256=${sha256(file).toUpperCase()}`, { 'content-digest': `sha-512=:${right}:` }))
      .statusCode,
  ).toBe(201);
});

test('a form field after the file may contain the digest, and a wrong one keeps nothing', async () => {
  const file = png(1, 1, 10);
  const before = (await files()).length;
  const send = (digest: string) => {
    const form = multipart([
      { name: 'file', value: file, filename: 'a.png' },
      { name: 'sha256', value: digest },
    ]);
    return t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { ...form.headers, ...asUser('alice') },
      payload: form.payload,
    });
  };
  expect((await send('1'.repeat(64))).json()).toMatchObject({ status: 422, code: 'digest_mismatch' });
  expect((await files()).length).toBe(before);
  expect((await send(sha256(file))).statusCode).toBe(201);
});

test('the same idempotency key and content return the same item; other content gets 422', async () => {
  const post = (salt: number, sub = 'alice', query = '') =>
    t.app.inject({
      method: 'POST',
      url: `/v1/media${query}`,
      headers: { 'content-type': 'image/png', 'idempotency-key': 'key-1', ...asUser(sub) },
      payload: png(1, 1, salt),
    });
  const first = await post(20);
  const again = await post(20);
  expect(first.statusCode).toBe(201);
  expect(again.statusCode).toBe(201);
  expect(again.json()).toEqual(first.json());
  expect(again.headers['idempotency-replayed']).toBe('true');
  expect((await post(21)).json()).toMatchObject({ status: 422, code: 'idempotency_mismatch' });
  expect((await post(20, 'alice', '?prompt=other')).json()).toMatchObject({
    status: 422,
    code: 'idempotency_mismatch',
  });
  const other = await post(20, 'bob');
  expect(other.json().id).not.toBe(first.json().id);
});

test('case 90: twenty calls with one idempotency key make one item', async () => {
  const before = (await files()).length;
  const form = multipart([
    { name: 'file', value: bigPng(200_000, 5), filename: 'a.png' },
    { name: 'prompt', value: 'late' },
  ]);
  const responses = await Promise.all(
    Array.from({ length: 20 }, () =>
      t.app.inject({
        method: 'POST',
        url: '/v1/media',
        headers: { ...form.headers, 'idempotency-key': 'twenty', ...asUser('alice') },
        payload: form.payload,
      }),
    ),
  );
  expect(new Set(responses.map((response) => response.statusCode))).toEqual(new Set([201]));
  expect(new Set(responses.map((response) => response.json().id)).size).toBe(1);
  expect((await files()).length).toBe(before + 1);
});

test('a failed attempt does not use up its idempotency key', async () => {
  const post = (payload: Buffer) =>
    t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { 'content-type': 'image/png', 'idempotency-key': 'retry', ...asUser('alice') },
      payload,
    });
  expect((await post(Buffer.from('no picture at all, only text'))).statusCode).toBe(415);
  expect((await post(png(1, 1, 30))).statusCode).toBe(201);
});

test('visibility, expiry and a named store are applied; an unknown store is named in the error', async () => {
  const post = (query: string) =>
    t.app.inject({
      method: 'POST',
      url: `/v1/media?${query}`,
      headers: { 'content-type': 'image/png', ...asUser('alice') },
      payload: png(1, 1, 40),
    });
  expect((await post('visibility=public&expiresAt=2030-01-01T00:00:00Z&store=local')).json()).toMatchObject({
    visibility: 'public',
    expiresAt: '2030-01-01T00:00:00.000Z',
  });
  expect((await post('store=nowhere')).json()).toMatchObject({ status: 400, code: 'unknown_store', field: 'store' });
  expect((await post('visibility=secret')).json()).toMatchObject({ status: 400, code: 'invalid_request' });
});

test('a service token must name the user, a user token may not name another', async () => {
  const post = (query: string, headers: Record<string, string>) =>
    t.app.inject({
      method: 'POST',
      url: `/v1/media${query}`,
      headers: { 'content-type': 'image/png', ...headers },
      payload: png(),
    });
  expect((await post('', asAdmin())).json()).toMatchObject({ status: 400, field: 'userId' });
  expect((await post('?userId=carol', asAdmin())).json()).toMatchObject({ userId: 'carol' });
  expect((await post('?userId=carol', asUser('alice'))).json()).toMatchObject({ status: 403, code: 'user_mismatch' });
});

test('twenty concurrent writers get versions of a scene without gaps, and one is current', async () => {
  const projectId = '7b0c3c1e-0000-4000-8000-000000000001';
  const post = (salt: number, sub: string) =>
    t.app.inject({
      method: 'POST',
      url: `/v1/media?projectId=${projectId}&sceneId=scene_1`,
      headers: { 'content-type': 'image/png', ...asUser(sub) },
      payload: png(1, 1, salt),
    });
  const responses = await Promise.all(Array.from({ length: 20 }, (_value, index) => post(index, 'alice')));
  expect(responses.map((response) => response.json().version).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 20 }, (_value, index) => index + 1),
  );
  expect((await post(99, 'mallory')).json()).toMatchObject({ status: 404, code: 'not_found' });
  const items = (
    await t.app.inject({ url: `/v1/media?projectId=${projectId}&limit=200`, headers: asUser('alice') })
  ).json().items;
  expect(items.filter((item: { isCurrent: boolean }) => item.isCurrent)).toHaveLength(1);
  expect(items[0].storageKey).toMatch(
    /^projects\/7b0c3c1e-0000-4000-8000-000000000001\/scenes\/scene_1_\d+-[0-9a-f]{16}\.png$/,
  );
});

test('a batch keeps its order and lets each item fail on its own', async () => {
  const source = (salt: number) => ({ type: 'base64', data: png(1, 1, salt).toString('base64') });
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/batches',
    headers: { ...json, ...asUser('alice') },
    payload: {
      items: [
        { source: source(1), prompt: 'one' },
        { source: { type: 'base64', data: '!!' } },
        { source: source(3), prompt: 'three' },
        { userId: 'bob', source: source(4) },
      ],
    },
  });
  expect(response.statusCode).toBe(200);
  const { results } = response.json();
  expect(results.map((result: { status: number }) => result.status)).toEqual([201, 400, 201, 403]);
  expect(results[0].item.prompt).toBe('one');
  expect(results[1].problem.code).toBe('invalid_base64');
  expect(results[2].item.prompt).toBe('three');
});

test('an item of a further local store is served at its content URL, which names no store', async () => {
  const { mkdtemp, rm } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const folder = await mkdtemp(`${tmpdir()}/mediakeep-archive-`);
  const other = await createTestApp({ STORES: 'archive:local', ARCHIVE_ROOT: folder });
  try {
    const item = (
      await other.app.inject({
        method: 'POST',
        url: '/v1/media?store=archive',
        headers: { 'content-type': 'image/png', ...asUser('alice') },
        payload: png(2, 2),
      })
    ).json();
    expect(item).toMatchObject({
      storageProvider: 'archive',
      storageUrl: `http://media.test/v1/media/${item.id}/content`,
    });
    const content = await other.app.inject({ url: new URL(item.storageUrl).pathname, headers: asUser('alice') });
    expect(content.headers['x-storage-provider']).toBe('archive');
  } finally {
    await other.close();
    await rm(folder, { recursive: true });
  }
});

test('a repeated batch with the same key stores nothing twice', async () => {
  const items = [50, 51].map((salt) => ({ source: { type: 'base64', data: png(1, 1, salt).toString('base64') } }));
  const send = () =>
    t.app.inject({
      method: 'POST',
      url: '/v1/batches',
      headers: { 'idempotency-key': 'batch-1', ...asUser('batcher') },
      payload: { items },
    });
  const ids = (response: Awaited<ReturnType<typeof send>>) =>
    response.json().results.map((result: { item: { id: string } }) => result.item.id);
  expect(ids(await send())).toEqual(ids(await send()));
  expect((await t.app.inject({ url: '/v1/media', headers: asUser('batcher') })).json().items).toHaveLength(2);
});

test('an item of invalid shape fails alone in its batch', async () => {
  const good = { source: { type: 'base64', data: png(1, 1, 70).toString('base64') } };
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/batches',
    headers: asUser('alice'),
    payload: { items: [good, { foo: 1 }, 5, good] },
  });
  expect(response.json().results.map((result: { status: number }) => result.status)).toEqual([201, 400, 400, 201]);
  expect(response.json().results[1].problem).toMatchObject({ code: 'invalid_request', field: 'foo' });
});

test('a userId after the file is reported as too late, also to a service token', async () => {
  const form = multipart([
    { name: 'file', value: png(1, 1, 71), filename: 'a.png' },
    { name: 'userId', value: 'bob' },
  ]);
  const late = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...form.headers, ...asAdmin() },
    payload: form.payload,
  });
  expect(late.json()).toMatchObject({ status: 400, code: 'field_after_file', field: 'userId' });
  const none = multipart([{ name: 'file', value: png(1, 1, 71), filename: 'a.png' }]);
  const missing = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...none.headers, ...asAdmin() },
    payload: none.payload,
  });
  expect(missing.json()).toMatchObject({ status: 400, code: 'invalid_request', field: 'userId' });
});

test('a field in both the query and the form is refused', async () => {
  const form = multipart([
    { name: 'prompt', value: 'a' },
    { name: 'file', value: png(), filename: 'a.png' },
  ]);
  const response = await t.app.inject({
    method: 'POST',
    url: '/v1/media?prompt=b',
    headers: { ...form.headers, ...asUser('alice') },
    payload: form.payload,
  });
  expect(response.json()).toMatchObject({ status: 400, field: 'prompt' });
});

test('an external record does not claim a store of ours, and gets a signed URL only if its host is allowed', async () => {
  const post = (storageProvider: string) =>
    t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: asUser('alice'),
      payload: {
        source: {
          type: 'external',
          storageUrl: 'https://cdn.example.com/a.mp4',
          storageProvider,
          mimeType: 'video/mp4',
        },
      },
    });
  expect((await post('local')).json()).toMatchObject({ status: 400, field: 'source.storageProvider' });
  const item = (await post('cdn')).json();
  expect(item).toMatchObject({ mediaType: 'video', mimeType: 'video/mp4' });
  expect(
    (await t.app.inject({ method: 'POST', url: `/v1/media/${item.id}/url`, headers: asUser('alice') })).json(),
  ).toMatchObject({ status: 409, code: 'not_stored' });
});

test('requests without a body work where none is needed', async () => {
  const { id } = (
    await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { 'content-type': 'image/png', ...asUser('alice') },
      payload: png(1, 1, 72),
    })
  ).json();
  expect(
    (await t.app.inject({ method: 'POST', url: `/v1/media/${id}/url`, headers: asUser('alice') })).json().url,
  ).toMatch(/\/v1\/signed\//);
  expect(
    (
      await t.app.inject({
        method: 'DELETE',
        url: `/v1/media/${id}`,
        headers: { 'content-type': 'application/json', ...asUser('alice') },
      })
    ).statusCode,
  ).toBe(204);
});

test('a date that does not exist is refused by name', async () => {
  expect(
    (await t.app.inject({ url: '/v1/media?createdAfter=2026-02-30T00:00:00Z', headers: asUser('alice') })).json(),
  ).toMatchObject({ status: 400, field: 'createdAfter' });
});

test('the repeated request of a deleted item does not report that it is stored', async () => {
  const alice = asUser('alice');
  const send = () =>
    t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: { 'idempotency-key': 'deleted-meanwhile', 'content-type': 'image/png', ...alice },
      payload: png(2, 2, 77),
    });
  const { id } = (await send()).json();
  expect((await send()).statusCode).toBe(201);
  const remove = (query = '') => t.app.inject({ method: 'DELETE', url: `/v1/media/${id}${query}`, headers: alice });
  await remove();
  expect((await send()).json()).toMatchObject({ status: 410, code: 'item_deleted' });
  await t.app.inject({ method: 'POST', url: `/v1/media/${id}/restore`, headers: alice });
  expect((await send()).json()).toMatchObject({ id });
  await remove('?purge=true');
  // Nothing is known of a purged item: it is stored anew.
  const again = (await send()).json();
  expect(again.id).not.toBe(id);
});

test.each([
  ['neither bytes nor a source', { prompt: 'a fox' }, 'file_missing', 'source'],
  ['a failure without its reason', { status: 'failed' }, 'invalid_request', 'error'],
  ['a failure with an empty reason', { status: 'failed', error: '' }, 'invalid_request', 'error'],
  [
    'a failure with bytes',
    { status: 'failed', error: 'out of memory', source: { type: 'base64', data: png().toString('base64') } },
    'invalid_request',
    'status',
  ],
])('%s is refused, and nothing is recorded', async (_what, payload, code, field) => {
  const alice = asUser('refused');
  const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers: alice, payload });
  expect(response.json()).toMatchObject({ status: 400, code, field });
  expect((await t.app.inject({ url: '/v1/media', headers: alice })).json().items).toEqual([]);
});

test.each(['/v1/media/form', '/v1/projects/6f1c7f0e-0000-4000-8000-000000000009/scenes/s/form'])(
  'a field in the query of %s is refused, since the form has them all',
  async (url) => {
    const { payload, headers } = multipart([{ name: 'file', value: png(), filename: 'a.png' }]);
    const send = (query: string) =>
      t.app.inject({ method: 'POST', url: `${url}${query}`, headers: { ...headers, ...asUser('a') }, payload });
    const refused = await send('?prompt=x');
    expect([refused.statusCode, refused.json().field]).toEqual([400, 'prompt']);
    expect((await send('')).statusCode).toBe(201);
  },
);
