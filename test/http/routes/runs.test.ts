import { createHash, randomUUID } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AUDIO } from '../../media/made-audio.ts';
import { VIDEOS } from '../../media/made-video.ts';
import { filesBelow } from '../../support/storage/local-volume.ts';
import { multipart, png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp({ DATABASE_POOL_MAX: '10' });
});
afterAll(() => t.close());

const run = promisify(execFile);
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const base64 = (bytes: Buffer) => ({ type: 'base64', data: bytes.toString('base64') });
const post = (url: string, payload: object, headers = asUser('a')) =>
  t.app.inject({ method: 'POST', url, headers, payload });
const begin = async (more: object = {}, headers = asUser('a')): Promise<string> =>
  (await post('/v1/runs', { inputText: 'Eine Blume auf der Wiese', ...more }, headers)).json().runId;
const add = (runId: string, bytes: Buffer, more: object = {}, headers = asUser('a')) =>
  post(`/v1/runs/${runId}/media`, { source: base64(bytes), ...more }, headers);
const folder = (runId: string) => path.join(t.volume, 'runs', runId);
const metadata = async (runId: string) => JSON.parse(await readFile(path.join(folder(runId), 'metadata.json'), 'utf8'));
const WAV = Buffer.from(AUDIO.find(({ ext }) => ext === 'wav')?.file ?? []);
const VIDEO = Buffer.from(VIDEOS.find(({ ext }) => ext === 'mp4')?.file ?? []);
const GLTF = Buffer.from('{"asset":{"version":"2.0"}}');

test('a run has a folder with its texts and metadata.json from the start', async () => {
  const payload = {
    inputText: 'Eine Blume auf der Wiese',
    schema: 'dada',
    executionMode: 'eco',
    safetyLevel: 'kids',
    metadata: { workshop: 7 },
  };
  const response = await post('/v1/runs', payload);
  expect(response.statusCode).toBe(201);
  const made = response.json();
  expect(made).toMatchObject({ ...payload, userId: 'a', status: 'open', transformedText: null, store: 'local' });
  expect(response.headers.location).toBe(`/v1/runs/${made.runId}`);
  expect(await filesBelow(folder(made.runId))).toEqual(['input_text.txt', 'metadata.json']);
  expect(await readFile(path.join(folder(made.runId), 'input_text.txt'), 'utf8')).toBe('Eine Blume auf der Wiese');
  expect(await metadata(made.runId)).toEqual({
    run_id: made.runId,
    user_id: 'a',
    timestamp: made.createdAt,
    schema: 'dada',
    execution_mode: 'eco',
    safety_level: 'kids',
    input_text: 'Eine Blume auf der Wiese',
    transformed_text: null,
    metadata: { workshop: 7 },
    completed_at: null,
    outputs: [],
  });
});

test('media of every type are stored in the folder under their own names, and metadata.json lists them in order', async () => {
  const runId = await begin({ transformedText: 'a flower' });
  const files = [png(3, 2, 1), png(1, 1, 2), WAV, VIDEO, GLTF];
  for (const bytes of files) expect((await add(runId, bytes)).statusCode).toBe(201);
  expect(await filesBelow(folder(runId))).toEqual([
    'input_text.txt',
    'metadata.json',
    'output_audio.wav',
    'output_image.png',
    'output_image_2.png',
    'output_model.gltf',
    'output_video.mp4',
    'transformed_text.txt',
  ]);
  const { outputs, transformed_text: text } = await metadata(runId);
  expect(text).toBe('a flower');
  expect(outputs.map((output: { filename: string }) => output.filename)).toEqual([
    'output_image.png',
    'output_image_2.png',
    'output_audio.wav',
    'output_video.mp4',
    'output_model.gltf',
  ]);
  expect(outputs.map((output: { sha256: string }) => output.sha256)).toEqual(files.map(sha256));
  expect(outputs[0]).toMatchObject({
    type: 'image',
    format: 'png',
    width: 3,
    height: 2,
    file_size_bytes: files[0]?.length,
  });
  const { items, moreItems } = (await t.app.inject({ url: `/v1/runs/${runId}`, headers: asUser('a') })).json();
  expect(moreItems).toBe(false);
  expect(items.map((item: { storageKey: string }) => item.storageKey)).toEqual(
    ['image.png', 'image_2.png', 'audio.wav', 'video.mp4', 'model.gltf'].map((name) => `runs/${runId}/output_${name}`),
  );
  const content = await t.app.inject({ url: `/uploads/runs/${runId}/output_image_2.png`, headers: asUser('a') });
  expect(content.rawPayload.equals(files[1] ?? Buffer.alloc(0))).toBe(true);
});

test('bytes may come as a form or a raw body, too, and the path names the run', async () => {
  const runId = await begin();
  const form = multipart([
    { name: 'prompt', value: 'form' },
    { name: 'file', filename: 'a.png', type: 'image/png', value: png(1, 1, 3) },
    { name: 'provider', value: 'comfyui' },
  ]);
  const url = `/v1/runs/${runId}/media`;
  const sent = await t.app.inject({
    method: 'POST',
    url,
    headers: { ...asUser('a'), ...form.headers },
    payload: form.payload,
  });
  expect([sent.statusCode, sent.json().items[0].filename]).toEqual([201, 'a.png']);
  const raw = await t.app.inject({
    method: 'POST',
    url: `${url}?model=sd35_large`,
    headers: { ...asUser('a'), 'content-type': 'image/png' },
    payload: png(1, 1, 4),
  });
  expect(raw.json().items[0]).toMatchObject({ runId, userId: 'a', model: 'sd35_large' });
  expect((await metadata(runId)).outputs).toMatchObject([
    { prompt: 'form', backend: 'comfyui', original_filename: 'a.png' },
    { config: 'sd35_large' },
  ]);
});

test('for a service, the run determines the owner of its media, in every form of body', async () => {
  const runId = await begin({ userId: 'a' }, asAdmin());
  const url = `/v1/runs/${runId}/media`;
  const form = multipart([
    { name: 'file', filename: 'a.png', type: 'image/png', value: png(1, 1, 21) },
    { name: 'prompt', value: 'after the file' },
  ]);
  const answers = [
    await t.app.inject({ method: 'POST', url, headers: { ...asAdmin(), ...form.headers }, payload: form.payload }),
    await t.app.inject({
      method: 'POST',
      url,
      headers: { ...asAdmin(), 'content-type': 'image/png' },
      payload: png(1, 1, 22),
    }),
    await post(url, { source: base64(png(1, 1, 23)) }, asAdmin()),
  ];
  expect(answers.map((answer) => [answer.statusCode, answer.json().items?.[0].userId])).toEqual(
    answers.map(() => [201, 'a']),
  );
  expect(answers[0]?.json().items[0]).toMatchObject({ prompt: 'after the file', sha256: sha256(png(1, 1, 21)) });
});

test('the path names the run: a field that names another run or user is refused before the file, and has no effect after it', async () => {
  const [runId, other] = [await begin(), await begin()];
  const url = `/v1/runs/${runId}/media`;
  const file = (salt: number) => ({ name: 'file', filename: 'a.png', type: 'image/png', value: png(1, 1, salt) });
  const send = (parts: Parameters<typeof multipart>[0], query = '', headers = asUser('a')) => {
    const form = multipart(parts);
    return t.app.inject({
      method: 'POST',
      url: `${url}${query}`,
      headers: { ...headers, ...form.headers },
      payload: form.payload,
    });
  };
  const refused = { status: 400, code: 'invalid_request' };
  const asked = { ...asUser('a'), 'content-type': 'image/png' };
  const raw = (query: string) => t.app.inject({ method: 'POST', url: url + query, headers: asked, payload: png() });
  expect((await send([{ name: 'runId', value: other }, file(41)])).json()).toMatchObject({
    ...refused,
    field: 'runId',
  });
  expect((await send([file(42)], `?runId=${other}`)).json()).toMatchObject({ ...refused, field: 'runId' });
  expect((await raw(`?runId=${other}`)).json()).toMatchObject({ ...refused, field: 'runId' });
  expect((await add(runId, png(1, 1, 43), { runId: other })).json()).toMatchObject({ ...refused, field: 'runId' });
  expect((await add(runId, png(1, 1, 44), { userId: 'b' }, asAdmin())).json()).toMatchObject({
    ...refused,
    field: 'userId',
  });
  expect((await raw('?userId=b')).json()).toMatchObject({ ...refused, field: 'userId' });
  for (const late of [other, 'my own label']) {
    const sent = await send([file(45), { name: 'runId', value: late }]);
    expect([sent.statusCode, sent.json().items]).toMatchObject([201, [{ runId, userId: 'a' }]]);
    expect(sent.json().items[0].storageKey).toMatch(new RegExp(`^runs/${runId}/output_image`));
  }
  // The name of the run itself may be repeated.
  expect((await send([{ name: 'runId', value: runId }, file(46)])).statusCode).toBe(201);
  const items = async (id: string) =>
    (await t.app.inject({ url: `/v1/runs/${id}`, headers: asUser('a') })).json().items;
  expect([(await items(runId)).length, (await items(other)).length]).toEqual([3, 0]);
  expect((await metadata(runId)).outputs).toHaveLength(3);
});

test('a ComfyUI prompt for a run that names another run or user is refused', async () => {
  const [runId, other] = [await begin(), await begin()];
  const prompt = { source: { type: 'comfyui', promptId: randomUUID() } };
  for (const [field, value] of Object.entries({ runId: other, userId: 'b' }))
    expect((await post(`/v1/runs/${runId}/media`, { ...prompt, [field]: value }, asAdmin())).json()).toMatchObject({
      status: 400,
      code: 'invalid_request',
      field,
    });
});

test('an item that names its run elsewhere is stored in its folder, too; after the file the name comes too late', async () => {
  const runId = await begin();
  const item = (await post('/v1/media', { runId, source: base64(png(1, 1, 5)) })).json();
  expect(item.storageKey).toBe(`runs/${runId}/output_image.png`);
  expect((await metadata(runId)).outputs).toHaveLength(1);
  const form = multipart([
    { name: 'file', filename: 'a.png', type: 'image/png', value: png() },
    { name: 'runId', value: runId },
  ]);
  const late = await t.app.inject({
    method: 'POST',
    url: '/v1/media',
    headers: { ...asUser('a'), ...form.headers },
    payload: form.payload,
  });
  expect(late.json()).toMatchObject({ status: 400, code: 'field_after_file', field: 'runId' });
  const label = (await post('/v1/media', { runId: 'my own label', source: base64(png()) })).json();
  expect(label).toMatchObject({ runId: 'my own label', storageKey: expect.stringMatching(/^outputs\/a\//) });
  const foreign = (await post('/v1/media', { runId, source: base64(png()) }, asUser('b'))).json();
  expect(foreign.storageKey).toMatch(/^outputs\/b\//);
  expect((await t.app.inject({ url: `/v1/runs/${runId}`, headers: asUser('a') })).json().items).toHaveLength(1);
});

test('a direct upload into a run gets a name in its folder', async () => {
  const runId = await begin();
  const begun = (await post('/v1/uploads', { runId, contentType: 'image/png', bytes: png().length })).json();
  const url = begun.url.slice(new URL(begun.url).origin.length);
  await t.app.inject({ method: 'PUT', url, headers: { 'content-type': 'image/png' }, payload: png() });
  const item = (await post(`/v1/uploads/${begun.id}/complete`, {})).json();
  expect(item.storageKey).toBe(`runs/${runId}/output_image.png`);
  expect((await metadata(runId)).outputs).toHaveLength(1);
});

test('a refused upload uses up no name', async () => {
  const runId = await begin();
  const refused = await add(runId, png(1, 1, 6), { sha256: '0'.repeat(64) });
  expect(refused.json().code).toBe('digest_mismatch');
  expect((await post(`/v1/runs/${runId}/media`, { source: base64(Buffer.from('no media')) })).statusCode).toBe(415);
  expect((await add(runId, png(1, 1, 6))).json().items[0].storageKey).toBe(`runs/${runId}/output_image.png`);
});

test('failures and records of a run are listed apart from its outputs', async () => {
  const runId = await begin();
  await add(runId, png(1, 1, 7));
  const url = `/v1/runs/${runId}/media`;
  expect((await post(url, { status: 'failed', error: 'out of memory', toolName: 'paint' })).statusCode).toBe(201);
  const { outputs, records } = await metadata(runId);
  expect(outputs).toHaveLength(1);
  expect(records).toMatchObject([{ status: 'failed', error: 'out of memory', tool_name: 'paint' }]);
});

test('changes and deletions reach metadata.json', async () => {
  const runId = await begin();
  const { id } = (await add(runId, png(1, 1, 8))).json().items[0];
  await t.app.inject({ method: 'PATCH', url: `/v1/media/${id}`, headers: asUser('a'), payload: { tags: ['kept'] } });
  expect((await metadata(runId)).outputs).toMatchObject([{ tags: ['kept'] }]);
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}`, headers: asUser('a') });
  expect(await metadata(runId)).toMatchObject({ outputs: [], records: [{ filename: 'output_image.png' }] });
  await t.app.inject({ method: 'POST', url: `/v1/media/${id}/restore`, headers: asUser('a') });
  expect((await metadata(runId)).outputs).toHaveLength(1);
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}?purge=true`, headers: asUser('a') });
  expect((await metadata(runId)).outputs).toEqual([]);
  expect(await filesBelow(folder(runId))).toEqual(['input_text.txt', 'metadata.json']);
  expect((await add(runId, png(1, 1, 9))).json().items[0].storageKey).toBe(`runs/${runId}/output_image_2.png`);
});

test('a completed run accepts nothing further; completing may be repeated, but not with another text', async () => {
  const runId = await begin();
  const url = `/v1/runs/${runId}/complete`;
  const done = await post(url, { transformedText: 'a flower' });
  expect(done.json()).toMatchObject({ status: 'completed', transformedText: 'a flower' });
  expect(await readFile(path.join(folder(runId), 'transformed_text.txt'), 'utf8')).toBe('a flower');
  expect((await metadata(runId)).completed_at).toBe(done.json().completedAt);
  expect((await post(url, { transformedText: 'a flower' })).json()).toEqual(done.json());
  const without = await t.app.inject({ method: 'POST', url, headers: asUser('a') });
  expect(without.json()).toEqual(done.json());
  expect((await post(url, { transformedText: 'a tree' })).json()).toMatchObject({ status: 409, code: 'run_completed' });
  expect((await add(runId, png())).json()).toMatchObject({ status: 409, code: 'run_completed' });
  expect((await post('/v1/media', { runId, source: base64(png()) })).json().code).toBe('run_completed');
  expect((await post('/v1/uploads', { runId, contentType: 'image/png', bytes: 9 })).json().code).toBe('run_completed');
});

test('a run belongs to its user: a stranger does not find it, a service names its user', async () => {
  const runId = await begin();
  for (const url of [`/v1/runs/${runId}`, `/v1/runs/${runId}/export`])
    expect((await t.app.inject({ url, headers: asUser('b') })).statusCode).toBe(404);
  expect((await add(runId, png(), {}, asUser('b'))).statusCode).toBe(404);
  expect((await post(`/v1/runs/${runId}/complete`, {}, asUser('b'))).statusCode).toBe(404);
  expect((await post('/v1/runs', { inputText: 'x' }, asAdmin())).json()).toMatchObject({
    status: 400,
    field: 'userId',
  });
  expect((await post('/v1/runs', { inputText: 'x', userId: 'b' })).json()).toMatchObject({ code: 'user_mismatch' });
  expect((await add(runId, png(), {}, asAdmin())).json().items[0].userId).toBe('a');
  expect((await add(runId, png(), { userId: 'b' }, asAdmin())).json()).toMatchObject({ status: 400, field: 'userId' });
  expect((await add(runId, png(), { runId: 'other' })).json()).toMatchObject({ status: 400, field: 'runId' });
  expect((await add(runId, png(), { store: 'database' })).json()).toMatchObject({ status: 400, field: 'store' });
});

test('repeated requests with the same Idempotency-Key begin one run, and add one output', async () => {
  const headers = { ...asUser('a'), 'idempotency-key': 'run-1' };
  const first = await post('/v1/runs', { inputText: 'once' }, headers);
  const second = await post('/v1/runs', { inputText: 'once' }, headers);
  expect([second.json(), second.headers['idempotency-replayed']]).toEqual([first.json(), 'true']);
  expect((await post('/v1/runs', { inputText: 'twice' }, headers)).json().code).toBe('idempotency_mismatch');
  const { runId } = first.json();
  const key = { ...asUser('a'), 'idempotency-key': 'out-1' };
  const added = await add(runId, png(), {}, key);
  await post(`/v1/runs/${runId}/complete`, {});
  expect((await add(runId, png(), {}, key)).json()).toEqual(added.json());
  expect((await metadata(runId)).outputs).toHaveLength(1);
});

test.each([
  [{}, "'inputText' is missing."],
  [{ inputText: 1 }, "'inputText' must be a text."],
  [{ inputText: 'x', inputtext: 'y' }, "'inputtext' is not a known field here; did you mean 'inputText'?"],
])('a run %j is refused with what to change', async (payload, detail) => {
  expect((await post('/v1/runs', payload)).json()).toMatchObject({ status: 400, code: 'invalid_request', detail });
});

test('texts are kept byte by byte, and unstorable ones are refused', async () => {
  const inputText = 'Zwölf Boxkämpfer 🥊\r\n\tjagen Viktor';
  const runId = await begin({ inputText });
  expect(await readFile(path.join(folder(runId), 'input_text.txt'), 'utf8')).toBe(inputText);
  expect((await post('/v1/runs', { inputText: 'a\u0000b' })).json().code).toBe('invalid_text');
  expect((await post('/v1/runs', { inputText: 'ü'.repeat(140_000) })).json().code).toBe('too_large');
  expect((await post('/v1/runs', { inputText: '' })).statusCode).toBe(201);
});

test('an output is recognised as a URL or a ComfyUI prompt id', async () => {
  const runId = await begin();
  const url = `/v1/runs/${runId}/media`;
  const refused = await post(url, { output: 'http://127.0.0.1/a.png' });
  expect(refused.json().code).toBe('url_not_allowed');
  expect((await post(url, { output: 'HTTP://127.0.0.1/a.png' })).json().code).toBe('url_not_allowed');
  expect((await post(url, { output: 'x', source: base64(png()) })).json()).toMatchObject({
    status: 400,
    field: 'output',
  });
  expect((await post(url, { source: { type: 'tape' } })).json().detail).toContain('comfyui');
});

test('the export is a zip of the texts, the unchanged outputs, and metadata.json', async () => {
  const runId = await begin({ transformedText: 'a flower' });
  const files = [png(2, 2, 10), png(2, 2, 11), GLTF];
  for (const bytes of files) await add(runId, bytes);
  const deleted = (await add(runId, png(2, 2, 12))).json().items[0];
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${deleted.id}`, headers: asUser('a') });
  const response = await t.app.inject({ url: `/v1/runs/${runId}/export`, headers: asUser('a') });
  expect(response.headers).toMatchObject({
    'content-type': 'application/zip',
    'content-disposition': `attachment; filename=run-${runId}.zip`,
  });
  const place = await mkdtemp(path.join(tmpdir(), 'mediakeep-zip-'));
  try {
    await writeFile(path.join(place, 'run.zip'), response.rawPayload);
    await run('python3', [
      '-c',
      'import zipfile,sys; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; z.extractall(sys.argv[2])',
      path.join(place, 'run.zip'),
      path.join(place, 'out'),
    ]);
    const out = path.join(place, 'out');
    expect((await readdir(out)).toSorted()).toEqual([
      'input_text.txt',
      'metadata.json',
      'output_image.png',
      'output_image_2.png',
      'output_model.gltf',
      'transformed_text.txt',
    ]);
    expect((await readFile(path.join(out, 'output_image_2.png'))).equals(files[1] ?? Buffer.alloc(0))).toBe(true);
    const told = JSON.parse(await readFile(path.join(out, 'metadata.json'), 'utf8'));
    expect(told.outputs.map((output: { sha256: string }) => output.sha256)).toEqual(files.map(sha256));
    expect(told.records).toBeUndefined();
  } finally {
    await rm(place, { recursive: true });
  }
});

test('an export lists outputs whose bytes are lost, and contains all others', async () => {
  const runId = await begin();
  await add(runId, png(2, 2, 13));
  await add(runId, png(2, 2, 14));
  await rm(path.join(folder(runId), 'output_image.png'));
  const response = await t.app.inject({ url: `/v1/runs/${runId}/export`, headers: asUser('a') });
  const text = response.rawPayload.toString('latin1');
  expect(text).toContain('missing.txt');
  expect(text).toContain('output_image_2.png');
});
