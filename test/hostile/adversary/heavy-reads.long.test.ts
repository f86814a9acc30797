import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asAdmin, asUser } from '../../support/test-app.ts';
import { type Victim, guarded, startVictim } from './watchdog.ts';

const MIB = 1024 ** 2;
const ROWS = 2000;
const PROJECT = 'a1b2c3d4-0000-4000-8000-000000000001';
const alice = asUser('alice');

let victim: Victim;
let ids: string[];

/** Rows as large as the API accepts, all of one user, run, label, job, scene and old id. */
async function seed(connectionString: string): Promise<string[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(`
    INSERT INTO runs (id, user_id, input_text, store, written_revision, texts_due, metadata_bytes)
    VALUES ('heavy-run', 'alice', repeat('i', 262144), 'local', 1, FALSE, 1);
    INSERT INTO scenes (project_id, scene_id, owner, last_version) VALUES ('${PROJECT}', 'heavy', 'alice', ${ROWS});
    INSERT INTO generation_jobs (provider, job_id, user_id, fields, timings) VALUES ('runpod', 'heavy-job', 'alice', '{}', '{}')`);
  // Quotes and backslashes, which JSON doubles.
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO generated_images (user_id, username, tool_name, prompt, model, media_type, mime_type, bytes, filename, visibility,
       storage_url, storage_provider, status, error, tags, metadata, generation, job_id, provider, run_id, project_id, scene_id,
       version, external_id, request_id, message_id, original_url)
     SELECT 'alice', repeat('u', 1900), 'tool', repeat('"\\', 131000), repeat('m', 1900), 'image', 'image/png', 3, 'a.png',
       CASE WHEN n % 2 = 0 THEN 'public' ELSE 'private' END, 'http://media.test/x', 'local', 'success', NULL,
       ARRAY(SELECT repeat('t', 60) || i FROM generate_series(1, 64) AS i),
       jsonb_build_object('m', repeat('"\\', 16000)), jsonb_build_object('g', repeat('"\\', 14000)),
       'heavy-job', 'runpod', 'heavy-run', '${PROJECT}', 'heavy', n, 'heavy-old-id', repeat('r', 1900), repeat('s', 1900),
       'https://cdn.example.com/' || repeat('o', 1900)
     FROM generate_series(1, ${ROWS}) AS n RETURNING id`,
  );
  const sha256 = createHash('sha256').update('abc').digest('hex');
  await client.query(
    `INSERT INTO media_locations (media_id, store, key, bytes, sha256, owned, state)
     SELECT id, 'local', 'runs/heavy-run/output_image_' || version || '.png', 3, '${sha256}', TRUE, 'stored'
     FROM generated_images WHERE run_id = 'heavy-run';
     INSERT INTO job_outputs (provider, job_id, media_id, identity)
     SELECT 'runpod', 'heavy-job', id, 'url:' || repeat('x', 900) || id FROM generated_images WHERE run_id = 'heavy-run';
     UPDATE generated_images SET run_id = 'heavy-label', job_id = NULL WHERE version > ${ROWS / 10}`,
  );
  await client.end();
  return rows.map((row) => row.id);
}

beforeAll(async () => {
  victim = await startVictim({ WORKER_CONCURRENCY: '0' });
  ids = await seed(victim.connectionString);
  // Warm-up: loads and compiles modules before the measurement.
  for (const { path, headers, body } of reads()) await ask(path, headers, body).catch(() => {});
}, 300_000);
afterAll(() => victim.close());

interface Read {
  path: string;
  headers: Record<string, string>;
  body?: object;
  /** Documented maximum bytes of the response. */
  most: number;
}

const PAGE = 8 * MIB + MIB;

function reads(): Read[] {
  const id = ids[0] ?? '';
  const of = (path: string, most = PAGE, headers: Record<string, string> = alice): Read => ({ path, headers, most });
  return [
    of(`/v1/media/${id}`, MIB),
    of('/v1/media?limit=200'),
    of('/v1/media?limit=200&sort=createdAt:asc&includeTotal=true'),
    of(`/v1/media?limit=200&tag=${'t'.repeat(60)}1`),
    of('/v1/media?limit=200&externalId=heavy-old-id'),
    of('/v1/media?limit=200&runId=heavy-label'),
    of('/v1/media?limit=200', PAGE, asAdmin()),
    of('/v1/failures?limit=200'),
    of('/v1/runs/heavy-run', PAGE + MIB),
    of('/v1/runs/heavy-run/export', 200 * MIB),
    of('/v1/jobs/runpod/heavy-job', MIB),
    of('/v1/jobs/runpod/heavy-job/media?limit=200'),
    of(`/v1/projects/${PROJECT}/scenes/heavy/versions?limit=200`),
    of('/api/images?limit=200', 2 * PAGE),
    of('/api/images?limit=200&offset=1000', 2 * PAGE),
    of('/api/images?limit=200&jobId=heavy-job', 2 * PAGE),
    of('/api/media/run/heavy-run', PAGE + MIB),
    of('/api/media/run/heavy-label', PAGE + MIB),
    of('/api/media/run/heavy-label', PAGE + MIB, asAdmin()),
    of('/api/media/info/heavy-run', MIB),
    of('/api/media/info/heavy-label', MIB),
    ...['image', 'audio', 'video'].flatMap((kind) => [
      of(`/api/media/${kind}/heavy-run`, MIB, {}),
      of(`/api/media/${kind}/heavy-label`, MIB, {}),
      of(`/api/media/${kind}/heavy-label?n=1000`, MIB),
      of(`/api/media/${kind}/heavy-label`, MIB, asUser('bob')),
    ]),
    of('/api/images/heavy-old-id/data', MIB, {}),
    of('/api/images/heavy-old-id/data', MIB),
    of('/api/images/heavy-old-id/data', MIB, asAdmin()),
    of('/api/images/heavy-old-id/network-volume?userId=alice', MIB, asAdmin()),
    of('/v1/tags?limit=1000', MIB),
    of('/v1/stats', MIB),
    of('/v1/stats', MIB, asAdmin()),
    of(`/v1/media/${id}/workflow`, MIB),
    of('/v1/webhook-deliveries?limit=200', MIB, asAdmin()),
    { ...of('/v1/signed-urls', MIB), body: { ids: ids.slice(0, 200) } },
    { ...of('/v1/jobs/runpod/heavy-job/retry', PAGE), body: {} },
  ];
}

async function ask(path: string, headers: Record<string, string>, body?: object) {
  const response = await fetch(`${victim.address}${path}`, {
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    redirect: 'manual',
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  });
  let bytes = 0;
  for await (const chunk of response.body ?? []) bytes += chunk.length;
  return { status: response.status, bytes };
}

describe(`against ${ROWS} of the heaviest rows`, () => {
  test('no read moves memory by more than 64 MiB, and no response exceeds its documented size', async () => {
    const seen: string[] = [];
    const wrong: string[] = [];
    for (const { path, headers, body, most } of reads()) {
      let answer = { status: 0, bytes: 0 };
      const { heldMs, rose } = await guarded(victim, async () => (answer = await ask(path, headers, body)), {
        mostMs: 5000,
        mostHeldMs: 5000,
        mostBytes: Infinity,
      });
      const line = `${answer.status} ${path.slice(0, 60)}: ${(answer.bytes / MIB).toFixed(2)} MiB, held ${Math.round(heldMs)} ms, rose ${Math.round(rose / MIB)} MiB`;
      seen.push(line);
      if (answer.bytes > most || answer.status >= 500 || rose > 64 * MIB) wrong.push(line);
    }
    process.stdout.write(`  ${seen.join('\n  ')}\n`);
    expect(wrong).toEqual([]);
  });

  test('many concurrent reads without permission cost next to nothing', async () => {
    for (const path of ['/api/media/image/heavy-label', '/api/images/heavy-old-id/data', '/api/media/run/heavy-run'])
      for (const headers of [{}, asUser('bob')]) {
        await guarded(
          victim,
          () =>
            Promise.all(
              Array.from({ length: 24 }, async () => {
                const { status } = await ask(path, headers);
                expect([200, 302, 401, 404, 410]).toContain(status);
              }),
            ),
          { mostBytes: 64 * MIB },
        );
      }
  });

  test('repeated changes of one item do not rewrite a large metadata.json each time', async () => {
    const client = new pg.Client({ connectionString: victim.connectionString });
    await client.connect();
    await client.query(`UPDATE runs SET metadata_bytes = 160000000, written_at = now() WHERE id = 'heavy-run'`);
    const url = `${victim.address}/v1/media/${ids[0]}`;
    const headers = { ...alice, 'content-type': 'application/json' };
    await guarded(
      victim,
      async () => {
        for (let n = 0; n < 20; n += 1) {
          const response = await fetch(url, { method: 'PATCH', headers, body: `{"tags":["changed-${n}"]}` });
          expect(response.status).toBe(200);
          await response.arrayBuffer();
        }
      },
      { mostBytes: 64 * MIB },
    );
    const { rows } = await client.query<{ written: boolean; minutes: number }>(
      `SELECT written_revision >= revision AS written, extract(epoch FROM due_at - now())::float8 / 60 AS minutes
       FROM runs WHERE id = 'heavy-run'`,
    );
    await client.end();
    // 160 MB at 256 KiB per second are ten minutes: until then a worker leaves the run alone.
    expect(rows[0]?.written).toBe(false);
    expect(rows[0]?.minutes).toBeGreaterThan(9);
    await expect(access(path.join(victim.folder, 'volume/runs/heavy-run/metadata.json'))).rejects.toThrow();
  });
});
