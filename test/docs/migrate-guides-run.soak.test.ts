import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase } from '../support/database/test-database.ts';
import { type Block, blocksOf } from '../support/document-blocks.ts';
import { canRunCommands, inOneScript, linkCheckout, runAsTyped } from '../support/document-shell.ts';
import { hasProgram } from '../support/has-program.ts';
import { type Origin, startOrigin } from '../support/origin.ts';
import { png } from '../support/sample-files.ts';
import { CHECKOUT, startService } from '../support/service-process.ts';
import { JWT_SECRET, asAdmin, asUser } from '../support/test-app.ts';

let origin: Origin;
let folder: string;
/** What a test leaves behind, the newest first. */
let leftovers: (() => unknown)[];
beforeEach(async () => {
  origin = await startOrigin();
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-moving-'));
  leftovers = [() => rm(folder, { recursive: true, force: true }), () => origin.close()];
  await linkCheckout(folder);
});
afterEach(async () => {
  for (const remove of leftovers.toReversed()) await remove();
});

async function database(kind: 'migrated' | 'empty', ...statements: [sql: string, values?: unknown[]][]) {
  const made = await createTestDatabase(kind);
  leftovers.push(() => made.drop());
  const client = new pg.Client({ connectionString: made.connectionString });
  await client.connect();
  for (const [sql, values] of statements) await client.query(sql, values);
  await client.end();
  return made.connectionString;
}

async function onVolume(name: string, bytes: Buffer | string): Promise<void> {
  const file = path.join(folder, 'volume', name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, bytes);
}

interface Move {
  /** The database of the old system. */
  old?: string;
  /** That of mediakeep. */
  url: string;
  /** Folders that a guide names, and those of this test. */
  folders?: Record<string, string>;
}

/** The commands of a guide, as they stand in it. Blocks with an ellipsis are settings for the reader to fill in. */
async function guide(name: string, { old, url, folders = {} }: Move) {
  const blocks = blocksOf(await readFile(path.join(CHECKOUT, `docs/migrate/${name}.md`), 'utf8'));
  const sql = blocks.find(({ note }) => note === 'test: export');
  if (sql) await writeFile(path.join(folder, 'export.sql'), sql.text);
  const commands = blocks.filter(({ language, text }) => language === 'sh' && !text.includes('…'));
  const settings = {
    DATA_DIR: path.join(folder, 'data'),
    LOCAL_ROOT: path.join(folder, 'volume'),
    LOCAL_MOUNT_ALIASES: '/runpod-volume,/workspace',
    JWT_SECRET,
    FETCH_TRUSTED_HOSTS: '127.0.0.1',
  };
  const service = { address: '' };
  const env = {
    ...settings,
    TOKEN: asAdmin().authorization.replace('Bearer ', ''),
    ...(old === undefined ? { DATABASE_URL: url } : { OLD_DATABASE_URL: old, DATABASE_URL: url }),
  };
  return {
    commands,
    start: async () => {
      const started = await startService({ env: { ...settings, DATABASE_URL: url } });
      leftovers.push(
        () => started.ended,
        () => started.kill('SIGTERM'),
      );
      service.address = started.address;
    },
    run: (wanted: readonly Block[]) => {
      let script = inOneScript(wanted.map(({ line, text }) => ({ place: `line ${line}`, text })));
      for (const [there, here] of Object.entries({ ...folders, 'http://127.0.0.1:8080': service.address }))
        script = script.replaceAll(there, here);
      return runAsTyped(script, { folder, env });
    },
    get: async (place: string, headers = asAdmin()) => {
      const response = await fetch(`${service.address}${place}`, { headers });
      return (await response.json()) as { items: object[]; total: number; stats: object; [name: string]: unknown };
    },
  };
}

/** As the system that the guide is about has it, with its indexes. */
const GENERATED_IMAGES = `
CREATE TABLE "generated_images" (
  id BIGSERIAL PRIMARY KEY, request_id TEXT, user_id VARCHAR(32) NOT NULL, username TEXT,
  tool_name TEXT NOT NULL DEFAULT 'generateUserImage', prompt TEXT NOT NULL, model TEXT, size VARCHAR(20), quality VARCHAR(20),
  style VARCHAR(20), n INTEGER DEFAULT 1, storage_url TEXT NOT NULL, storage_provider VARCHAR(50) DEFAULT 'omega',
  mime_type VARCHAR(50), bytes INTEGER, sha256 CHAR(64), tags TEXT[], status VARCHAR(20) NOT NULL DEFAULT 'success',
  error TEXT, metadata JSONB, message_id TEXT, created_at TIMESTAMPTZ NOT NULL DEFAULT NOW());
CREATE INDEX idx_generated_images_user_id_created_at ON generated_images(user_id, created_at DESC);
CREATE INDEX idx_generated_images_request_id ON generated_images(request_id);
CREATE INDEX idx_generated_images_status ON generated_images(status) WHERE status <> 'success';
CREATE INDEX idx_generated_images_storage_url ON generated_images(storage_url);
CREATE INDEX idx_generated_images_metadata_gin ON generated_images USING GIN (metadata);
CREATE INDEX idx_generated_images_tags_gin ON generated_images USING GIN (tags)`;

describe.runIf(canRunCommands && hasProgram('psql', '--version'))('commands of the guides to move', () => {
  test('those from a table generated_images work as they stand, on the old table itself', async () => {
    const row = `INSERT INTO generated_images (user_id, prompt, storage_url, storage_provider, tags) VALUES ('user123', 'p', $1, $2, '{fox}')`;
    const url = await database(
      'empty',
      [GENERATED_IMAGES],
      [row, [`${origin.url}/ok/a.png`, 'github']],
      [row, ['https://omegaai.dev/uploads/b.png', 'local']],
      [
        `INSERT INTO generated_images (user_id, prompt, storage_url, status, error) VALUES ('user123', 'p', '', 'failed', 'e')`,
      ],
    );
    await onVolume('../uploads/b.png', png(3, 3, 1));
    const { commands, start, run, get } = await guide('generated-images', {
      old: url,
      url,
      folders: { '/mnt/old-volume/uploads': path.join(folder, 'uploads') },
    });
    const of = (word: string) => commands.filter(({ text }) => text.includes(word));
    const [migrate, fetch, [record, check]] = [of('mediakeep migrate'), of('fetch --storage'), of('curl')] as const;
    await run(migrate);
    await start();
    expect(await run([...migrate, ...fetch])).toContain('2 items are only recorded');
    const checked = await run([check as Block]);
    expect(checked).toContain('0 items are only recorded');
    expect(checked).toMatch(/"total":3,.*"outsideDatabaseRatio":1/);
    // The call that takes the place of saveGeneratedImage.
    const made = JSON.parse((await run([record as Block])).split('\n').find((line) => line.startsWith('{')) ?? '');
    expect(made).toMatchObject({ userId: 'user123', storageProvider: 'github', bytes: 524_288, mimeType: 'image/png' });
    expect((await get('/v1/failures')).items).toMatchObject([{ error: 'e' }]);
    expect((await get('/v1/media?tag=fox&sort=createdAt:asc')).items).toMatchObject([
      { storageProvider: 'local', width: 6 },
      { storageProvider: 'local', width: 3 },
    ]);
  });

  test('those from images on a network volume work as they stand', async () => {
    await onVolume('outputs/u1/image_001.png', png(4, 4, 1));
    const old = await database(
      'empty',
      [
        `CREATE TABLE "GeneratedImage" (id TEXT PRIMARY KEY, "userId" TEXT, prompt TEXT, "createdAt" TIMESTAMP, "networkVolumePath" TEXT, "imageData" BYTEA)`,
      ],
      [
        `INSERT INTO "GeneratedImage" VALUES ('cl01', 'u1', 'one', '2025-09-20', '/runpod-volume/outputs/u1/image_001.png', NULL), ('cl02', 'u2', 'blob', '2025-01-02', NULL, $1)`,
        [png(4, 4, 4)],
      ],
    );
    const { commands, start, run, get } = await guide('network-volume', { old, url: await database('migrated') });
    await start();
    const output = await run(commands);
    expect(output).toContain('1 records, 0 of them not usable');
    expect(output).toContain('1 records: 1 stored');
    expect(output).toMatch(/"atRisk":0,"outsideDatabaseRatio":1/);
    expect((await get('/api/images?sortBy=oldest')).total).toBe(2);
    expect((await get('/api/images?stats=true', asUser('u2'))).stats).toMatchObject({
      totalSize: png(4, 4, 4).length,
    });
  });

  test("those from a handler's keys and pieces work as they stand", async () => {
    await onVolume('outputs/u1/style_1.png', png(4, 4, 1));
    const old = await database(
      'empty',
      [
        `CREATE TABLE "GeneratedImage" (id TEXT PRIMARY KEY, "userId" TEXT, "jobId" TEXT, filename TEXT, "createdAt" TIMESTAMP, "s3Key" TEXT, "networkVolumePath" TEXT, "imageData" BYTEA)`,
      ],
      [
        `INSERT INTO "GeneratedImage" VALUES ('s1', 'u1', 'j1', 'style_1.png', now(), 'outputs/u1/style_1.png', NULL, NULL), ('s2', 'u1', 'j1', 'style_2.png', now(), NULL, NULL, $1)`,
        [png(4, 4, 2)],
      ],
    );
    const { commands, start, run, get } = await guide('chunked-delivery', { old, url: await database('migrated') });
    await start();
    expect(await run(commands)).toMatch(/1 records: 1 stored[^]*"outsideDatabaseRatio":1/);
    expect((await get('/api/images?userId=u1')).total).toBe(2);
  });

  test('those from a table scene_images work as they stand', async () => {
    const project = '6f1c7f0e-0000-4000-8000-000000000001';
    const old = await database(
      'empty',
      [`CREATE TABLE projects (id UUID PRIMARY KEY, user_id TEXT)`],
      [
        `CREATE TABLE scene_images (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), project_id UUID REFERENCES projects(id), scene_id TEXT NOT NULL,
        storage_path TEXT, storage_url TEXT NOT NULL, generated_at TIMESTAMP DEFAULT NOW(), provider TEXT DEFAULT 'fal_ai_flux', generation_prompt TEXT,
        original_fal_url TEXT, fal_metadata JSONB, version INTEGER DEFAULT 1, is_current BOOLEAN DEFAULT true, UNIQUE(project_id, scene_id, version))`,
      ],
      [`INSERT INTO projects VALUES ($1, 'director')`, [project]],
      [
        `INSERT INTO scene_images (project_id, scene_id, storage_url, version, is_current) VALUES ($1, 'scene_1', $2, 1, true), ($1, 'scene_1', $3, 2, false)`,
        [project, `${origin.url}/ok/1.png`, `${origin.url}/ok/2.png`],
      ],
    );
    const { commands, start, run, get } = await guide('scene-images', { old, url: await database('migrated') });
    await start();
    expect(await run(commands)).toContain('2 records: 2 stored');
    expect(await get(`/v1/projects/${project}/scenes/scene_1`)).toMatchObject({ version: 1, userId: 'director' });
    expect((await get('/v1/stats'))['atRisk']).toBe(0);
  });

  test('those from folders of runs work as they stand', async () => {
    for (const [id, owner] of [
      ['b5c0e7d6-1111-4222-8333-444455556666', { user_id: 'DOE_J' }],
      ['b5c0e7d6-1111-4222-8333-444455557777', {}],
    ] as const) {
      await onVolume(`runs/${id}/output_image.png`, png(5, 4, 3));
      const outputs = [{ type: 'image', filename: 'output_image.png', format: 'png' }];
      const metadata = { run_id: id, ...owner, timestamp: '2025-11-04T10:11:12', input_text: 'Eine Blume', outputs };
      await onVolume(`runs/${id}/metadata.json`, JSON.stringify(metadata));
    }
    const { commands, start, run, get } = await guide('run-folders', {
      url: await database('migrated'),
      folders: { '/mnt/media_storage': path.join(folder, 'volume') },
    });
    await start();
    // A run without an owner is reported, with another exit code, by the commands before the one that gives it one.
    const output = await run(
      commands.map((block) =>
        block.text.includes('--user') ? { ...block, text: `set +e\n${block.text}\nset -e` } : block,
      ),
    );
    expect(output).toContain('1 runs and 1 items made, 0 items were there already, 0 failed');
    expect(output).toMatch(/0 runs and 0 items to make, 2 items were there already/);
    expect((await get('/api/media/run/b5c0e7d6-1111-4222-8333-444455557777'))['user_id']).toBe('default-owner');
  });
});
