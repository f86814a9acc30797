import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Origin, startOrigin } from '../support/origin.ts';
import { png } from '../support/sample-files.ts';
import { type Outcome, runCommand, settingsOf } from '../support/run-command.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let origin: Origin;
let folder: string;
beforeEach(async () => {
  origin = await startOrigin();
  t = await createTestApp({ FETCH_TRUSTED_HOSTS: '127.0.0.1', LOCAL_MOUNT_ALIASES: '/runpod-volume' });
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-guide-'));
});
afterEach(async () => {
  await t.close();
  origin.close();
});

const mediakeep = (...args: string[]): Promise<Outcome> =>
  runCommand(args, { ...settingsOf(t), FETCH_TRUSTED_HOSTS: '127.0.0.1', LOCAL_MOUNT_ALIASES: '/runpod-volume' });

/** The SQL after the mark `<!-- test: name -->` of a guide, as an operator runs it. */
function guideSql(guide: string, name: 'export' | 'count'): string {
  const text = readFileSync(new URL(`../../docs/migrate/${guide}.md`, import.meta.url), 'utf8');
  const block = new RegExp(`<!-- test: ${name} -->\\s*\`\`\`sql\\n([\\s\\S]*?)\`\`\``).exec(text)?.[1];
  if (block === undefined) throw new Error(`docs/migrate/${guide}.md has no ${name}`);
  return block;
}

/** Output of `psql -At`. */
async function exported(guide: string): Promise<string> {
  // Old times have no zone and mean UTC, whatever the time zone of the export.
  const { rows } = await t.deps.db.transaction().execute(async (trx) => {
    await sql`SET LOCAL TIME ZONE 'America/New_York'`.execute(trx);
    return sql.raw<{ json_build_object: object }>(guideSql(guide, 'export')).execute(trx);
  });
  const file = path.join(folder, 'records.jsonl');
  await writeFile(file, rows.map((row) => `${JSON.stringify(row.json_build_object)}\n`).join(''));
  return file;
}
const counted = async (guide: string) =>
  Number((await sql.raw<{ count: string }>(guideSql(guide, 'count')).execute(t.deps.db)).rows[0]?.count);
const get = async (url: string, headers = asAdmin()) => (await t.app.inject({ url, headers })).json();
const run = (text: string) => sql.raw(text).execute(t.deps.db);
const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
async function onVolume(key: string, bytes: Buffer): Promise<void> {
  await mkdir(path.dirname(path.join(t.volume, key)), { recursive: true });
  await writeFile(path.join(t.volume, key), bytes);
}

test('network-volume: files are adopted in place, blobs are copied from the database, old ids and times are kept', async () => {
  await run(
    `CREATE TABLE "GeneratedImage" (id TEXT PRIMARY KEY, "userId" TEXT, prompt TEXT, "createdAt" TIMESTAMP, "networkVolumePath" TEXT, "imageData" BYTEA)`,
  );
  await onVolume('outputs/u1/image_001.png', png(4, 4, 1));
  await onVolume('outputs/u1/sub folder/image_002.png', png(4, 4, 2));
  await run(`INSERT INTO "GeneratedImage" VALUES
    ('cl01', 'u1', 'one', '2025-09-20 20:02:42.5', '/runpod-volume/outputs/u1/image_001.png', NULL),
    ('cl02', 'u1', NULL, '2025-09-21', 'outputs/u1/sub folder/image_002.png', NULL),
    ('cl03', 'u1', 'gone', '2025-09-22', '/runpod-volume/outputs/u1/gone.png', NULL)`);
  await sql`INSERT INTO "GeneratedImage" VALUES ('cl04', 'u2', 'blob', '2025-01-02', NULL, ${png(4, 4, 4)})`.execute(
    t.deps.db,
  );
  const file = await exported('network-volume');
  expect(await mediakeep('import-records', file, '--dry-run')).toMatchObject({
    code: 0,
    stdout: '3 records, 0 of them not usable\n',
  });
  const first = await mediakeep('import-records', file);
  expect(first).toMatchObject({ code: 3, stderr: expect.stringContaining('line 3 failed') });
  expect(first.stdout).toContain('3 records: 2 stored, 0 still to be fetched by a worker, 0 stored before, 1 failed');
  await onVolume('outputs/u1/gone.png', png(4, 4, 3));
  expect((await mediakeep('import-records', file)).stdout).toContain(
    '1 stored, 0 still to be fetched by a worker, 2 stored before, 0 failed',
  );
  const blobs = [
    '--id-column',
    'id',
    '--bytes-column',
    'imageData',
    '--user-column',
    'userId',
    '--prompt-column',
    'prompt',
    '--created-column',
    'createdAt',
  ];
  expect((await mediakeep('import-blobs', '--table', 'GeneratedImage', ...blobs)).stdout).toContain('1 stored');
  expect((await get('/v1/media?includeTotal=true')).total).toBe(await counted('network-volume'));
  expect(await get('/v1/stats')).toMatchObject({ total: 4, outsideDatabaseRatio: 1, atRisk: 0 });
  expect((await get('/v1/media?externalId=cl01')).items).toMatchObject([
    {
      prompt: 'one',
      generatedAt: '2025-09-20T20:02:42.500Z',
      storageKey: 'outputs/u1/image_001.png',
      sha256: sha(png(4, 4, 1)),
    },
  ]);
  for (const [id, salt, user] of [
    ['cl02', 2, 'u1'],
    ['cl04', 4, 'u2'],
  ] as const) {
    const bytes = await t.app.inject({ url: `/api/images/${id}/data`, headers: asUser(user) });
    expect(bytes.rawPayload.equals(png(4, 4, salt))).toBe(true);
  }
  expect(await readFile(path.join(t.volume, 'outputs/u1/image_001.png'))).toEqual(png(4, 4, 1));
});

test('generated-images: table rows get their files from their URL or a folder; rows with dead URLs stay records', async () => {
  await writeFile(path.join(folder, 'old picture.png'), png(3, 3, 7));
  const insert = (provider: string, url: string, sha256: string | null = null) =>
    sql`INSERT INTO generated_images (user_id, prompt, storage_url, storage_provider, sha256) VALUES ('u', 'p', ${url}, ${provider}, ${sha256})`.execute(
      t.deps.db,
    );
  await insert('github', `${origin.url}/ok/a.png`);
  await insert('github', `${origin.url}/gone.png`);
  await insert('github', `${origin.url}/ok/b.png`, sha(Buffer.from('something else')));
  await insert('local', 'https://omegaai.test/uploads/old%20picture.png');
  await insert('local', 'https://omegaai.test/uploads/../../etc/passwd');
  expect(await mediakeep('fetch', '--dry-run')).toMatchObject({ code: 0, stdout: '5 items are only recorded\n' });
  const github = await mediakeep('fetch', '--storage-provider', 'github');
  expect(github).toMatchObject({ code: 3, stdout: '3 items were only recorded: 1 stored, 2 failed\n' });
  expect(github.stderr).toMatch(/404[\s\S]*SHA-256/);
  const local = await mediakeep(
    'fetch',
    '--storage-provider',
    'local',
    '--folder',
    `https://omegaai.test/uploads/=${folder}`,
  );
  expect(local).toMatchObject({ code: 3, stdout: '2 items were only recorded: 1 stored, 1 failed\n' });
  const { items } = await get('/v1/media?sort=createdAt:asc');
  expect(items).toMatchObject([
    { status: 'success', storageProvider: 'local', originalUrl: `${origin.url}/ok/a.png`, width: 6 },
    { status: 'success', storageProvider: 'github', storageUrl: `${origin.url}/gone.png`, storageKey: null },
    { storageProvider: 'github', storageKey: null },
    {
      storageProvider: 'local',
      sha256: sha(png(3, 3, 7)),
      originalUrl: 'https://omegaai.test/uploads/old%20picture.png',
    },
    { storageKey: null },
  ]);
  const bytes = await t.app.inject({ url: `/v1/media/${items[3].id}/content`, headers: asUser('u') });
  expect(bytes.rawPayload.equals(png(3, 3, 7))).toBe(true);
});

test('chunked-delivery: rows with a key or a path', async () => {
  await run(
    `CREATE TABLE "GeneratedImage" (id TEXT PRIMARY KEY, "userId" TEXT, "jobId" TEXT, filename TEXT, "createdAt" TIMESTAMP, "s3Key" TEXT, "networkVolumePath" TEXT)`,
  );
  await onVolume('outputs/u1/style_1.png', png(4, 4, 1));
  await onVolume('outputs/u1/style_2.png', png(4, 4, 2));
  await run(`INSERT INTO "GeneratedImage" VALUES
    ('s1', 'u1', 'j1', 'style_1.png', now(), 'outputs/u1/style_1.png', '/runpod-volume/outputs/u1/style_1.png'),
    ('s2', 'u1', 'j1', 'style_2.png', now(), NULL, '/runpod-volume/outputs/u1/style_2.png'),
    ('s3', 'u1', 'j1', 'style_3.png', now(), NULL, NULL)`);
  expect((await mediakeep('import-records', await exported('chunked-delivery'))).stdout).toContain(
    '2 records: 2 stored',
  );
  expect((await get('/v1/media?jobId=j1')).items).toHaveLength(2);
});

test('scene-images: versions keep their order and current one, also in a second run', async () => {
  const project = '6f1c7f0e-0000-4000-8000-000000000001';
  await run(`CREATE TABLE projects (id UUID PRIMARY KEY, user_id TEXT)`);
  await run(`CREATE TABLE scene_images (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), project_id UUID REFERENCES projects(id), scene_id TEXT NOT NULL,
    storage_path TEXT, storage_url TEXT NOT NULL, generated_at TIMESTAMP DEFAULT NOW(), provider TEXT DEFAULT 'fal_ai_flux', generation_prompt TEXT,
    original_fal_url TEXT, fal_metadata JSONB, version INTEGER DEFAULT 1, is_current BOOLEAN DEFAULT true, UNIQUE(project_id, scene_id, version))`);
  await run(`INSERT INTO projects VALUES ('${project}', 'director')`);
  const row = (scene: string, version: number, current: boolean) =>
    `('${project}', '${scene}', '${origin.url}/ok/${scene}-${version}.png', 'take ${version}', 'https://v2.fal.test/${version}.jpeg', '{"seed": ${version}}', ${version}, ${current})`;
  await run(`INSERT INTO scene_images (project_id, scene_id, storage_url, generation_prompt, original_fal_url, fal_metadata, version, is_current)
    VALUES ${[row('scene_1', 1, false), row('scene_1', 3, false), row('scene_1', 2, true), row('scene_2', 1, true)].join(', ')}`);
  const file = await exported('scene-images');
  expect(await mediakeep('import-records', file)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('4 records: 4 stored'),
  });
  const versions = async () =>
    (await get(`/v1/projects/${project}/scenes/scene_1/versions`)).items.map(
      (item: { version: number; prompt: string; isCurrent: boolean }) => [item.version, item.prompt, item.isCurrent],
    );
  const expected = [
    [3, 'take 3', false],
    [2, 'take 2', true],
    [1, 'take 1', false],
  ];
  expect(await versions()).toEqual(expected);
  expect((await mediakeep('import-records', file)).stdout).toContain(
    '0 stored, 0 still to be fetched by a worker, 4 stored before, 0 failed',
  );
  expect(await versions()).toEqual(expected);
  expect(await counted('scene-images')).toBe(2);
  expect(await get(`/v1/projects/${project}/scenes/scene_2`)).toMatchObject({
    userId: 'director',
    provider: 'fal_ai_flux',
    generation: { seed: 1 },
    originalUrl: 'https://v2.fal.test/1.jpeg',
  });
});

test("run-folders: an older system's folders become runs", async () => {
  const id = 'b5c0e7d6-1111-4222-8333-444455556666';
  await onVolume(`runs/${id}/output_image.png`, png(5, 4, 3));
  await onVolume(`runs/${id}/input_text.txt`, Buffer.from('Eine Blume auf der Wiese'));
  await onVolume(
    `runs/${id}/metadata.json`,
    Buffer.from(
      JSON.stringify({
        run_id: id,
        user_id: 'DOE_J',
        timestamp: '2025-11-04T10:11:12.131415',
        schema: 'dada',
        execution_mode: 'eco',
        input_text: 'Eine Blume auf der Wiese',
        outputs: [
          {
            type: 'image',
            filename: 'output_image.png',
            backend: 'comfyui',
            config: 'sd35_large',
            file_size_bytes: png(5, 4, 3).length,
            format: 'png',
            width: 5,
            height: 4,
          },
        ],
      }),
    ),
  );
  expect((await mediakeep('rebuild', '--from', 'local', '--dry-run')).stdout).toContain('1 runs and 1 items to make');
  expect((await mediakeep('rebuild', '--from', 'local')).stdout).toContain('1 runs and 1 items made');
  expect((await mediakeep('rebuild', '--from', 'local', '--dry-run')).stdout).toContain(
    '0 runs and 0 items to make, 1 items were there already',
  );
  const shown = await t.app.inject({ url: `/api/media/image/${id}`, headers: asUser('DOE_J') });
  expect(shown.rawPayload.equals(png(5, 4, 3))).toBe(true);
});

test.each([
  ['no JSON', 'nope', 'not valid JSON'],
  ['a list', '[1]', 'no JSON object'],
  ['an unknown field', '{"userId":"u","colour":1}', 'colour'],
  ['no owner', '{"source":{"type":"url","url":"https://h/a.png"}}', 'userId'],
  [
    'a path outside of the volume',
    '{"userId":"u","source":{"type":"path","path":"/runpod-volume/../etc/passwd"}}',
    'No store',
  ],
])('an invalid line, %s, is reported by its number, and the others are stored', async (_name, line, reason) => {
  const file = path.join(folder, 'lines.jsonl');
  const good = JSON.stringify({
    userId: 'u',
    prompt: null,
    source: { type: 'base64', data: png().toString('base64') },
  });
  await writeFile(file, `${good}\n\n${line}\n`);
  const outcome = await mediakeep('import-records', file, '--json');
  expect(outcome.code).toBe(3);
  expect(JSON.parse(outcome.stdout)).toMatchObject({
    records: 2,
    stored: 1,
    failed: [{ line: 3, reason: expect.stringContaining(reason) }],
  });
});
