import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bigPng, png } from '../support/sample-files.ts';
import { type Outcome, runCommand, settingsOf } from '../support/run-command.ts';
import { type TestApp, asAdmin, createTestApp } from '../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
  const { db } = t.deps;
  await sql`CREATE SCHEMA legacy`.execute(db);
  await sql`CREATE TABLE legacy."Images" (id UUID PRIMARY KEY, owner TEXT, data BYTEA, prompt TEXT, made TIMESTAMP, kind TEXT)`.execute(
    db,
  );
  await sql`CREATE TABLE pictures (nr BIGINT PRIMARY KEY, image TEXT, name TEXT)`.execute(db);
});
afterAll(() => t.close());

const mediakeep = (...args: string[]): Promise<Outcome> =>
  runCommand(['import-blobs', ...args], { ...settingsOf(t), TZ: 'UTC' });
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const items = async (user: string) =>
  (await t.app.inject({ url: `/v1/media?userId=${user}&limit=200&sort=createdAt:asc`, headers: asAdmin() })).json()
    .items;
const id = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const LEGACY = ['--table', 'legacy.Images', '--id-column', 'id', '--bytes-column', 'data', '--user-column', 'owner'];

test('rows with bytes become items with owner, prompt, time and old id; a second run stores only new rows', async () => {
  const bodies = [bigPng(9_000_000, 1), bigPng(5000, 2), png(3, 3)];
  for (const [index, body] of bodies.entries())
    await sql`INSERT INTO legacy."Images" VALUES (${id(index)}, 'ann', ${body}, ${`picture ${index}`}, '2024-02-03 04:05:06.789', 'image/png')`.execute(
      t.deps.db,
    );
  await sql`INSERT INTO legacy."Images" VALUES (${id(50)}, 'ann', NULL, 'nothing', now(), NULL)`.execute(t.deps.db);
  await sql`INSERT INTO legacy."Images" VALUES (${id(51)}, NULL, ${png()}, 'nobody', now(), NULL)`.execute(t.deps.db);
  await sql`INSERT INTO legacy."Images" VALUES (${id(52)}, 'ann', 'plain text, no picture', 'text', now(), NULL)`.execute(
    t.deps.db,
  );
  const columns = [...LEGACY, '--prompt-column', 'prompt', '--created-column', 'made', '--mime-type-column', 'kind'];
  expect(await mediakeep(...columns, '--dry-run')).toMatchObject({ code: 0, stdout: '5 rows with bytes\n' });
  const first = await mediakeep(...columns, '--concurrency', '1');
  expect(first.stdout).toMatch(/^5 rows: 3 stored \(8\.6 MiB in .*\), 0 stored before, 2 failed\n$/);
  expect(first.stderr).toContain(`failed  row ${id(51)}: the row names no user`);
  expect(first.stderr).toContain(`failed  row ${id(52)}: The bytes are not an image`);
  expect(first.code).toBe(3);
  const stored = await items('ann');
  expect(stored).toHaveLength(3);
  for (const [index, body] of bodies.entries())
    expect(stored[index]).toMatchObject({
      externalId: id(index),
      prompt: `picture ${index}`,
      generatedAt: '2024-02-03T04:05:06.789Z',
      sha256: sha256(body),
      toolName: 'import-blobs',
    });
  const served = await t.app.inject({ url: `/v1/media/${stored[0].id}/content`, headers: asAdmin() });
  expect(sha256(served.rawPayload)).toBe(sha256(bodies[0] ?? png()));

  await sql`INSERT INTO legacy."Images" VALUES (${id(3)}, 'ann', ${png(4, 4)}, 'later', now(), NULL)`.execute(
    t.deps.db,
  );
  const second = await mediakeep(...columns, '--user', 'ben', '--json');
  expect(JSON.parse(second.stdout)).toMatchObject({ stored: 2, present: 3, failed: [{ id: id(52) }] });
  expect((await items('ben'))[0]).toMatchObject({ externalId: id(51) });
});

test('a column of base64 texts or data URIs is decoded in pieces', async () => {
  const bodies = [bigPng(7_000_001, 4), bigPng(999, 5), png(7, 7)];
  const wrapped = (bodies[2]?.toString('base64') ?? '').replace(/.{20}/g, '$&\r\n');
  const texts = [bodies[0]?.toString('base64'), `data:image/png;base64,${bodies[1]?.toString('base64')}`, wrapped];
  for (const [index, text] of texts.entries())
    await sql`INSERT INTO pictures VALUES (${index}, ${text}, ${`p${index}.png`})`.execute(t.deps.db);
  await sql`INSERT INTO pictures VALUES (9, 'not base64!', 'x')`.execute(t.deps.db);
  const columns = ['--table', 'pictures', '--id-column', 'nr', '--bytes-column', 'image', '--filename-column', 'name'];
  const run = () => mediakeep(...columns, '--user', 'cleo', '--tool', 'old', '--concurrency', '1', '--json');
  expect(JSON.parse((await run()).stdout)).toMatchObject({ stored: 3, failed: [{ id: '9' }] });
  expect(await items('cleo')).toMatchObject(
    bodies.map((body, index) => ({
      externalId: String(index),
      filename: `p${index}.png`,
      sha256: sha256(body),
      toolName: 'old',
    })),
  );
  expect(JSON.parse((await run()).stdout)).toMatchObject({ stored: 0, present: 3 });
});

test('missing tables and columns, and rows without an owner, are reported before anything is read', async () => {
  expect(
    (await mediakeep('--table', 'nowhere', '--id-column', 'id', '--bytes-column', 'b', '--user', 'u')).stderr,
  ).toContain("no table 'nowhere'");
  const wrong = await mediakeep('--table', 'pictures', '--id-column', 'id', '--bytes-column', 'image', '--user', 'u');
  expect(wrong.stderr).toContain("no column 'id'; it has: nr, image, name");
  const number = await mediakeep('--table', 'pictures', '--id-column', 'nr', '--bytes-column', 'nr', '--user', 'u');
  expect(number.stderr).toContain('bytea, or text');
  expect((await mediakeep('--table', 'pictures', '--id-column', 'nr', '--bytes-column', 'image')).stderr).toContain(
    '--user-column',
  );
});

test('every row of a table with a numeric id is read, in numeric order', async () => {
  await sql`CREATE TABLE numbered (id BIGINT PRIMARY KEY, bytes BYTEA)`.execute(t.deps.db);
  await sql`INSERT INTO numbered SELECT n, ${png()} FROM generate_series(1, 350) AS n`.execute(t.deps.db);
  const columns = [
    '--table',
    'numbered',
    '--id-column',
    'id',
    '--bytes-column',
    'bytes',
    '--user',
    'numbers',
    '--json',
  ];
  expect(JSON.parse((await mediakeep(...columns)).stdout)).toMatchObject({ stored: 350, present: 0, failed: [] });
  expect(JSON.parse((await mediakeep(...columns)).stdout)).toMatchObject({ stored: 0, present: 350, failed: [] });
});
