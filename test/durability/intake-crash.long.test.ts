import { createHash, randomBytes, randomInt } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSigner } from 'fast-jwt';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/db/embedded/embedded-postgres.ts';
import { createDataFolder } from '../support/data-folder.ts';
import { png } from '../support/sample-files.ts';
import { startService } from '../support/service-process.ts';
import { until } from '../support/until.ts';

const SECRET = randomBytes(32).toString('hex');
const HOOK = 'hook-of-the-crash-test';
const ROUNDS = 3;
const SENDERS = 4;

const picture = (number: number) => png(6, 6, number);
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const headers = {
  authorization: `Bearer ${createSigner({ key: SECRET, expiresIn: 600_000 })({ sub: 'service', scope: 'media:admin' })}`,
  'content-type': 'application/json',
};

interface Told {
  jobId: string;
  number: number;
}

test(
  'kill -9 during webhooks and downloads: each acknowledged webhook ends as exactly one stored item, with the right bytes',
  { timeout: 180_000 },
  async () => {
    // Slow enough that downloads are running when the service is killed.
    const origin = createServer((request, response) => {
      const number = Number(/\/(\d+)\.png/.exec(request.url ?? '')?.[1]);
      setTimeout(() => response.writeHead(200, { 'content-type': 'image/png' }).end(picture(number)), 60);
    });
    await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
    const at = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
    const folder = await createDataFolder('intake-crash');
    const postgres = await startEmbeddedPostgres({ dataDir: folder.path });
    const env = {
      DATA_DIR: folder.path,
      JWT_SECRET: SECRET,
      LOG_LEVEL: 'error',
      FETCH_TRUSTED_HOSTS: '127.0.0.1',
      WEBHOOK_SECRET_RUNPOD: HOOK,
      WORKER_CONCURRENCY: '3',
    };
    const acknowledged: Told[] = [];
    let cut = 0;
    let next = 0;
    let service = await startService({ env });
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        let over = false;
        const send = async () => {
          while (!over) {
            next += 1;
            const number = next;
            const jobId = `job-${number}`;
            // Every third contains its bytes, every fifth is sent twice.
            const image = number % 3 === 0 ? picture(number).toString('base64') : `${at}/${number}.png`;
            const body = JSON.stringify({
              id: jobId,
              status: 'COMPLETED',
              user_id: 'crash',
              output: { images: [image] },
            });
            const url = `${service.address}/v1/webhooks/runpod?secret=${HOOK}`;
            try {
              for (let times = number % 5 === 0 ? 2 : 1; times > 0; times -= 1) {
                const answer = await fetch(url, { method: 'POST', headers, body });
                if (answer.status !== 200) throw new Error(`status ${answer.status}: ${await answer.text()}`);
              }
              acknowledged.push({ jobId, number });
            } catch (error) {
              if (error instanceof Error && error.message.startsWith('status')) throw error;
              cut += 1;
            }
          }
        };
        const senders = Array.from({ length: SENDERS }, send);
        // However long that takes: then the senders are in the middle of it.
        const before = acknowledged.length;
        await until(async () => acknowledged.length > before + SENDERS, 60);
        await sleep(randomInt(0, 500));
        service.kill('SIGKILL');
        over = true;
        await service.ended;
        await Promise.all(senders);
        service = await startService({ env });
      }
      // Expires the leases of the killed process, which takes 45 s otherwise; due work is taken up on start.
      service.kill('SIGKILL');
      await service.ended;
      const client = new pg.Client({ connectionString: postgres.connectionString });
      await client.connect();
      await client.query('UPDATE fetches SET next_attempt_at = now()');
      await client.end();
      service = await startService({ env });
      // Interrupted ones may have been committed, too; none of them stays pending.
      const stats = async () =>
        (await fetch(`${service.address}/v1/stats`, { headers })).json() as Promise<Record<string, number>>;
      await until(async () => (await stats())['pending'] === 0, 150);
      const failures: string[] = [];
      for (const { jobId, number } of acknowledged) {
        const answer = await fetch(`${service.address}/v1/jobs/runpod/${jobId}/media`, { headers });
        const { items } = (await answer.json()) as { items: { id: string; status: string; sha256: string }[] };
        if (items.length !== 1) failures.push(`${jobId}: ${items.length} items`);
        const [item] = items;
        if (item?.status !== 'success' || item.sha256 !== sha256(picture(number)))
          failures.push(`${jobId}: ${item?.status} ${item?.sha256}`);
        const content = await fetch(`${service.address}/v1/media/${item?.id}/content`, { headers });
        if (sha256(Buffer.from(await content.arrayBuffer())) !== sha256(picture(number)))
          failures.push(`${jobId}: other bytes`);
      }
      expect(failures).toEqual([]);
      expect((await stats())['failed']).toBe(0);
      expect(acknowledged.length).toBeGreaterThan(ROUNDS * SENDERS);
      expect(cut).toBeGreaterThan(0);
    } finally {
      service.kill('SIGKILL');
      await service.ended;
      await postgres.stop();
      await folder.remove();
      origin.close();
    }
  },
);
