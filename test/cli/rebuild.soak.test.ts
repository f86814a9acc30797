import { createHash } from 'node:crypto';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { parseRunMetadata } from '../../src/domain/run-folder/parse-metadata.ts';
import { rebuildRuns } from '../../src/domain/runs/rebuild-runs.ts';
import { commitRun } from '../../src/domain/runs/rebuild-commit.ts';
import { png } from '../support/sample-files.ts';
import { s3Settings } from '../support/s3/service.ts';
import { runCommand, settingsOf } from '../support/run-command.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
beforeEach(async () => {
  t = await createTestApp({ DATABASE_POOL_MAX: '10' });
});
afterEach(() => t.close());

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function rebuild(...args: string[]): Promise<{ code: number; stdout: string; stderr: string; summary: unknown }> {
  const { code, stdout, stderr } = await runCommand(['rebuild', ...args], settingsOf(t));
  return { code, stdout, stderr, summary: stdout.startsWith('{') ? JSON.parse(stdout) : undefined };
}

const again = (from: string, more: object = {}) =>
  rebuildRuns(t.deps, {
    from,
    takeUnnamed: false,
    commit: (found) => commitRun(t.deps, found),
    concurrency: 4,
    signal: new AbortController().signal,
    onProgress: () => {},
    ...more,
  });
const post = (url: string, payload: object, headers = asUser('a')) =>
  t.app.inject({ method: 'POST', url, headers, payload });
const get = async (url: string) => (await t.app.inject({ url, headers: asAdmin() })).json();
const base64 = (bytes: Buffer) => ({ type: 'base64', data: bytes.toString('base64') });
const forget = () =>
  sql`TRUNCATE generated_images, media_locations, runs, run_slots, storage_intents, idempotency_keys RESTART IDENTITY CASCADE`.execute(
    t.deps.db,
  );

/** Two runs of two users: outputs with every field set, a failure, a deleted item. */
async function makeRuns(): Promise<string[]> {
  const ids: string[] = [];
  for (const [index, user] of ['a', 'b'].entries()) {
    const headers = asUser(user);
    const begun = await post('/v1/runs', { inputText: `in ${user}`, schema: 'dada', metadata: { w: index } }, headers);
    const { runId } = begun.json();
    const url = `/v1/runs/${runId}/media`;
    for (const salt of [1, 2, 3]) {
      const fields = {
        prompt: `fox ${salt}`,
        model: 'sd35_large',
        provider: 'comfyui',
        tags: ['x', 'ü'],
        metadata: { deep: { er: [1, null] } },
        generation: { seed: 42 },
        filename: 'my file.png',
        visibility: 'public',
        generatedAt: '2025-11-04T10:00:00.123456Z',
        toolName: 'paint',
        messageId: 'm-1',
      };
      await post(url, { ...fields, source: base64(png(2, 3, index * 10 + salt)) }, headers);
    }
    await post(url, { status: 'failed', error: 'out of memory' }, headers);
    const { id } = (await post(url, { source: base64(png(1, 1, 90 + index)) }, headers)).json().items[0];
    await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}`, headers });
    await post(`/v1/runs/${runId}/complete`, { transformedText: `out ${user}` }, headers);
    ids.push(runId);
  }
  return ids;
}

/** A run as the API returns it, without what differs in new rows. */
async function told(runId: string) {
  const { items, ...rest } = await get(`/v1/runs/${runId}`);
  return {
    ...rest,
    updatedAt: '',
    items: items.map(({ updatedAt: _time, ...item }: Record<string, unknown>) => item),
  };
}

test('all rows are rebuilt from the folders alone: same items and hashes, content served; a second run adds nothing', async () => {
  const ids = await makeRuns();
  const before = await Promise.all(ids.map((id) => told(id)));
  await forget();
  expect((await get(`/v1/runs/${ids[0]}`)).status).toBe(404);
  const dry = await rebuild('--from', 'local', '--dry-run', '--json');
  expect(dry.summary).toMatchObject({ dryRun: true, runs: 2, items: 10, failed: [] });
  expect((await get(`/v1/runs/${ids[0]}`)).status).toBe(404);
  const first = await rebuild('--from', 'local', '--json');
  expect([first.code, first.stderr]).toEqual([0, '']);
  expect(first.summary).toMatchObject({ folders: 2, runs: 2, items: 10, present: 0, failed: [], unnamed: [] });
  expect(await Promise.all(ids.map((id) => told(id)))).toEqual(before);
  const { items } = await get(`/v1/runs/${ids[1]}`);
  const content = await t.app.inject({ url: `/v1/media/${items[0].id}/content` });
  expect(content.rawPayload.equals(png(2, 3, 11))).toBe(true);
  expect((await t.app.inject({ url: `/uploads/${items[1].storageKey}` })).rawPayload.equals(png(2, 3, 12))).toBe(true);
  const second = await rebuild('--from', 'local', '--json');
  expect(second.summary).toMatchObject({ runs: 0, items: 0, present: 10, failed: [] });
  expect(await Promise.all(ids.map((id) => told(id)))).toEqual(before);
  // Published URLs contain the ids, and new items get others.
  const { id } = (await post('/v1/media', { source: base64(png()) })).json();
  expect(Number(id)).toBeGreaterThan(10);
  const deleted = await sql<{ id: string }>`SELECT id FROM generated_images WHERE deleted_at IS NOT NULL`.execute(
    t.deps.db,
  );
  expect(deleted.rows).toHaveLength(2);
});

test('a rebuilt run continues: new outputs get new names, and metadata.json still lists the old ones', async () => {
  const { runId } = (await post('/v1/runs', { inputText: 'x' })).json();
  await post(`/v1/runs/${runId}/media`, { source: base64(png(1, 1, 1)) });
  await forget();
  await again('local');
  const { items } = (await post(`/v1/runs/${runId}/media`, { source: base64(png(1, 1, 2)) })).json();
  expect(items[0].storageKey).toBe(`runs/${runId}/output_image_2.png`);
  await forget();
  expect(await again('local')).toMatchObject({ runs: 1, items: 2, failed: [] });
});

test('folders of an older system are accepted as they are', async () => {
  const runId = '6f1c7f0e-0000-4000-8000-00000000000a';
  await put(runId, 'metadata.json', {
    run_id: runId,
    user_id: 'DOE_J',
    timestamp: '2025-11-04T10:11:12.123456',
    schema: 'dada',
    execution_mode: 'eco',
    input_text: 'Eine Blume auf der Wiese',
    transformed_text: 'a flower',
    outputs: [
      {
        type: 'image',
        filename: 'output_image.png',
        backend: 'comfyui',
        config: 'sd35_large',
        file_size_bytes: png(4, 4, 1).length,
        format: 'png',
        width: 4,
        height: 4,
      },
    ],
  });
  await put(runId, 'input_text.txt', 'Eine Blume auf der Wiese');
  await put(runId, 'output_image.png', png(4, 4, 1));
  expect(await again('local')).toMatchObject({ runs: 1, items: 1, failed: [], unnamed: [] });
  const made = await get(`/v1/runs/${runId}`);
  expect(made).toMatchObject({
    userId: 'DOE_J',
    schema: 'dada',
    executionMode: 'eco',
    transformedText: 'a flower',
    createdAt: '2025-11-04T10:11:12.123456Z',
    items: [
      {
        provider: 'comfyui',
        model: 'sd35_large',
        generatedAt: '2025-11-04T10:11:12.123456Z',
        sha256: sha256(png(4, 4, 1)),
        storageKey: `runs/${runId}/output_image.png`,
      },
    ],
  });
  expect(await again('local')).toMatchObject({ runs: 0, items: 0, present: 1 });
});

test('a record of an older system is not taken for an output with bytes; a second run recognises it', async () => {
  const runId = '6f1c7f0e-0000-4000-8000-00000000000b';
  await put(runId, 'metadata.json', {
    run_id: runId,
    user_id: 'DOE_J',
    input_text: 'a fox',
    outputs: [{ type: 'image', filename: 'output_image.png' }],
    records: ['fox', 'hen'].map((name) => ({
      type: 'image',
      storage_url: `https://cdn.example.com/${name}.png`,
      storage_provider: 'cdn',
    })),
  });
  await put(runId, 'input_text.txt', 'a fox');
  await put(runId, 'output_image.png', png(4, 4, 3));
  expect(await again('local')).toMatchObject({ runs: 1, items: 3, present: 0, failed: [] });
  expect(await again('local')).toMatchObject({ runs: 0, items: 0, present: 3 });
  const { items } = await get(`/v1/runs/${runId}`);
  await sql`DELETE FROM generated_images WHERE run_id = ${runId} AND id <> ${items[0].id}::bigint`.execute(t.deps.db);
  // The output has a row, the two records do not: both are rebuilt.
  expect(await again('local')).toMatchObject({ items: 2, present: 1, failed: [] });
});

async function put(runId: string, name: string, content: Buffer | string | object): Promise<void> {
  const file = path.join(t.volume, 'runs', runId, name);
  await mkdir(path.dirname(file), { recursive: true });
  const bytes = Buffer.isBuffer(content) || typeof content === 'string' ? content : JSON.stringify(content);
  await writeFile(file, bytes);
}

test('broken or hostile folders are reported and skipped, and all others are rebuilt', async () => {
  const outside = path.join(t.volume, 'outputs', 'victim.png');
  await mkdir(path.dirname(outside), { recursive: true });
  await writeFile(outside, png(1, 1, 99));
  const one = { user_id: 'a', outputs: [{ filename: 'output_image.png' }] };
  await put('good', 'metadata.json', { ...one, run_id: 'good' });
  await put('good', 'output_image.png', png(1, 1, 1));
  await put('not-json', 'metadata.json', '{"user_id":"a"');
  await put('no-object', 'metadata.json', '[1,2]');
  await put('no-user', 'metadata.json', { outputs: [] });
  await put('other-id', 'metadata.json', { ...one, run_id: 'good' });
  await put('none', 'output_image.png', png(1, 1, 2));
  await put('latin', 'metadata.json', Buffer.from('{"user_id":"\xfc"}', 'latin1'));
  await put('nul', 'metadata.json', '{"user_id":"a\\u0000b","outputs":[]}');
  await put('away', 'metadata.json', {
    user_id: 'a',
    outputs: [
      { filename: '../../outputs/victim.png' },
      { filename: '/etc/passwd' },
      { filename: '..' },
      { filename: 'link.png' },
      { filename: 'missing.png' },
      { filename: 'output_image.png', sha256: '0'.repeat(64) },
      { filename: 'short.png', file_size_bytes: 5 },
      { filename: 'words.png' },
      { filename: 'fine.png', prompt: 'x'.repeat(300_000) },
      { filename: 'fine.png', status: 'x'.repeat(40) },
      {
        filename: 'fine.png',
        item_id: '9223372036854775807',
        n: 1e15,
        tags: [1, 'ok'],
        metadata: 'text',
        generated_at: 'yesterday',
        error: 7,
      },
      { filename: 'fine.png' },
      { object: { store: 'local', key: 'outputs/victim.png' } },
      'no object',
      null,
    ],
  });
  for (const name of ['output_image.png', 'short.png', 'fine.png']) await put('away', name, png(1, 1, 3));
  await put('away', 'words.png', 'only words');
  await symlink(outside, path.join(t.volume, 'runs', 'away', 'link.png'));
  const summary = await again('local');
  expect(summary).toMatchObject({ runs: 2, items: 2 });
  expect(Object.groupBy(summary.failed, ({ path: key }) => key.split('/')[1] ?? '')).toMatchObject({
    'not-json': [{ path: 'runs/not-json', reason: 'metadata.json is not valid JSON.' }],
    'no-object': [{}],
    'no-user': [{ reason: expect.stringContaining('--user ID') }],
    'other-id': [{ reason: expect.stringContaining('another run') }],
    none: [{ reason: expect.stringContaining('--take-unnamed') }],
    latin: [{ reason: 'metadata.json is not UTF-8.' }],
    nul: [{}],
  });
  expect(summary.failed.filter(({ path: key }) => key.startsWith('runs/away'))).toHaveLength(11);
  const { items } = await get('/v1/media?userId=a');
  expect(items.map((item: { storageKey: string; tags: string[] }) => [item.storageKey, item.tags])).toEqual(
    expect.arrayContaining([
      ['runs/good/output_image.png', []],
      ['runs/away/fine.png', ['ok']],
    ]),
  );
  expect(JSON.stringify(items)).not.toContain('victim');
  expect(items.map((item: { id: string }) => Number(item.id) < 100)).toEqual([true, true]);
});

test("a folder cannot take over another user's run", async () => {
  const { runId } = (await post('/v1/runs', { inputText: 'mine' })).json();
  await put(runId, 'metadata.json', { run_id: runId, user_id: 'thief', outputs: [{ filename: 'output_image.png' }] });
  await put(runId, 'output_image.png', png());
  expect((await again('local')).failed).toMatchObject([{ reason: expect.stringContaining('another user') }]);
  expect((await get(`/v1/runs/${runId}`)).userId).toBe('a');
});

test('files that metadata.json does not name are reported, and imported on request', async () => {
  const { runId } = (await post('/v1/runs', { inputText: 'x' })).json();
  await post(`/v1/runs/${runId}/media`, { source: base64(png(1, 1, 1)) });
  await put(runId, 'output_image_7.png', png(1, 1, 7));
  await forget();
  expect(await again('local')).toMatchObject({ runs: 1, items: 1, unnamed: [`runs/${runId}/output_image_7.png`] });
  const added = (await post(`/v1/runs/${runId}/media`, { source: base64(png(1, 1, 2)) })).json().items[0];
  expect(added.storageKey).toBe(`runs/${runId}/output_image_8.png`);
  expect(await again('local', { takeUnnamed: true })).toMatchObject({ items: 1, present: 2, unnamed: [] });
  await forget();
  expect(await again('local')).toMatchObject({ items: 3, unnamed: [] });
});

test('--user restricts it to one user', async () => {
  const ids = await makeRuns();
  await forget();
  expect((await rebuild('--from', 'local', '--user', 'b')).stdout).toContain('2 folders: 1 runs and 5 items made');
  expect((await get(`/v1/runs/${ids[0]}`)).status).toBe(404);
});

test('a run that names no owner keeps the one that --user gave it before', async () => {
  const runId = '6f1c7f0e-0000-4000-8000-00000000000b';
  const old = { run_id: runId, outputs: [{ filename: 'output_image.png' }] };
  await put(runId, 'metadata.json', old);
  await put(runId, 'output_image.png', png(4, 4, 1));
  const dry = { commit: undefined };
  expect((await again('local', dry)).failed).toMatchObject([{ reason: expect.stringContaining('--user ID') }]);
  expect(await again('local', { user: 'a' })).toMatchObject({ runs: 1, items: 1, failed: [] });
  // Written by another program, without owners.
  await put(runId, 'metadata.json', old);
  expect(await again('local', dry)).toMatchObject({ runs: 0, items: 0, present: 1, failed: [] });
  expect(await again('local', { user: 'b', ...dry })).toMatchObject({ present: 0, failed: [] });
});

test('an unknown store is named, and a store that is down ends the command', async () => {
  expect((await rebuild('--from', 'nowhere')).stderr).toContain("no store 'nowhere'");
  await rm(t.volume, { recursive: true });
  await expect(again('local')).rejects.toMatchObject({ code: 'store_unavailable' });
});

test('rows are rebuilt from the folders of an S3 bucket, too', async () => {
  await t.close();
  const s3 = await s3Settings(inject('s3'));
  s3.client.destroy();
  t = await createTestApp({ ...s3.env, DATABASE_POOL_MAX: '10' });
  const ids = await makeRuns();
  const before = await Promise.all(ids.map((id) => told(id)));
  await forget();
  expect(await again('s3')).toMatchObject({ runs: 2, items: 10, failed: [] });
  expect(await Promise.all(ids.map((id) => told(id)))).toEqual(before);
});

test('any metadata.json is either read as a run or refused with a reason', () => {
  const key = fc.constantFrom(
    'outputs',
    'records',
    'user_id',
    'timestamp',
    'filename',
    'tags',
    'metadata',
    '__proto__',
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof({ depthSize: 'small' }, fc.jsonValue(), fc.array(tie('any')), fc.dictionary(key, tie('any'))),
  })).any;
  fc.assert(
    fc.property(value, (any) => {
      try {
        for (const item of parseRunMetadata(JSON.stringify(any)).items) expect(typeof item.input).toBe('object');
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_json' });
      }
    }),
  );
});
