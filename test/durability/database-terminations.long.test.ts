import { createHash, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createDataFolder } from '../support/data-folder.ts';
import { startRestartablePostgres } from '../support/database/restartable-postgres.ts';
import { png } from '../support/sample-files.ts';
import { startService } from '../support/service-process.ts';
import { JWT_SECRET, asAdmin, asUser } from '../support/test-app.ts';
import { until } from '../support/until.ts';

const ROUNDS = 15;
const HOOK = 'hook-of-the-terminations-test';
const WEBHOOK_SENDERS = 3;
const UPLOADERS = 3;

const picture = (number: number) => png(6, 6, number);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Most rounds cut all connections; every fifth stops the server, alternately cleanly and like a crash. */
const roundKind = (round: number) => (round % 5 !== 4 ? 'terminate' : round % 10 === 4 ? 'fast' : 'immediate');

test(
  'a service survives cut connections and a stopped database server at random moments: nothing acknowledged is lost, background work resumes',
  { timeout: 400_000 },
  async () => {
    const folder = await createDataFolder('terminations');
    const postgres = await startRestartablePostgres(folder.path);
    const env = {
      DATA_DIR: folder.path,
      DATABASE_URL: postgres.connectionString,
      JWT_SECRET,
      LOG_LEVEL: 'warn',
      WEBHOOK_SECRET_RUNPOD: HOOK,
      WORKER_CONCURRENCY: '3',
    };
    const service = await startService({ env });
    const state = { over: false, next: 0 };
    const jobs: { jobId: string; number: number }[] = [];
    const uploads: { id: string; number: number }[] = [];
    const refused = new Map<string, number>();
    const count = (outcome: string) => refused.set(outcome, (refused.get(outcome) ?? 0) + 1);
    const keep = async (
      send: (number: number) => Promise<Response>,
      acknowledged: (number: number, body: unknown) => void,
    ) => {
      while (!state.over) {
        state.next += 1;
        const number = state.next;
        try {
          const answer = await send(number);
          const body: unknown = await answer.json();
          if (answer.ok) acknowledged(number, body);
          else count(`${answer.status} ${(body as { code: string }).code}`);
          if (!answer.ok) await sleep(20);
        } catch (error) {
          count(error instanceof Error ? error.message : 'no answer');
          await sleep(20);
        }
      }
    };
    const sendWebhook = (number: number) =>
      fetch(`${service.address}/v1/webhooks/runpod?secret=${HOOK}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          id: `job-${number}`,
          status: 'COMPLETED',
          user_id: 'user',
          output: { images: [picture(number).toString('base64')] },
        }),
      });
    const upload = (number: number) =>
      fetch(`${service.address}/v1/media`, {
        method: 'POST',
        headers: { 'content-type': 'image/png', ...asUser('user') },
        body: new Uint8Array(picture(number)),
      });
    const told = (number: number) => jobs.push({ jobId: `job-${number}`, number });
    const stored = (number: number, body: unknown) => uploads.push({ id: (body as { id: string }).id, number });
    const alive = () => expect(service.child.exitCode, service.output().slice(-4000)).toBe(null);
    try {
      const senders = [
        ...Array.from({ length: WEBHOOK_SENDERS }, () => keep(sendWebhook, told)),
        ...Array.from({ length: UPLOADERS }, () => keep(upload, stored)),
      ];
      let cut = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        // Wait until the service has recovered and is busy, however long that takes.
        const before = jobs.length + uploads.length;
        await until(async () => {
          alive();
          return jobs.length + uploads.length > before + 2 * (WEBHOOK_SENDERS + UPLOADERS);
        }, 60);
        await sleep(randomInt(0, 400));
        const kind = roundKind(round);
        if (kind === 'terminate') cut += await postgres.terminateAll();
        else {
          await postgres.stop(kind);
          await sleep(randomInt(0, 1500));
          await postgres.start();
        }
        alive();
      }
      state.over = true;
      await Promise.all(senders);
      expect(cut).toBeGreaterThan(ROUNDS);

      // A fetch whose connection was lost becomes due again after 45 s.
      await until(async () => {
        alive();
        await postgres.query('UPDATE fetches SET next_attempt_at = now() WHERE next_attempt_at > now()');
        await sleep(500);
        const answer = await fetch(`${service.address}/v1/stats`, { headers: asAdmin() });
        return answer.ok && ((await answer.json()) as { pending: number }).pending === 0;
      }, 120);
      const failures: string[] = [];
      const check = async (what: string, number: number, item: { id: string; status: string } | undefined) => {
        const content = await fetch(`${service.address}/v1/media/${item?.id}/content`, { headers: asAdmin() });
        if (item?.status !== 'success' || sha256(await content.bytes()) !== sha256(picture(number)))
          failures.push(`${what}: ${item?.status}, content ${content.status}`);
      };
      for (const { id, number } of uploads) {
        const answer = await fetch(`${service.address}/v1/media/${id}`, { headers: asAdmin() });
        await check(`upload ${id}`, number, (await answer.json()) as { id: string; status: string });
      }
      for (const { jobId, number } of jobs) {
        const answer = await fetch(`${service.address}/v1/jobs/runpod/${jobId}/media`, { headers: asAdmin() });
        const { items } = (await answer.json()) as { items: { id: string; status: string }[] };
        if (items.length !== 1) failures.push(`${jobId}: ${items.length} items`);
        await check(jobId, number, items[0]);
      }
      expect(failures).toEqual([]);

      // The same process, ready again, with its background work.
      expect(service.child.exitCode).toBe(null);
      expect(process.kill(service.pid, 0)).toBe(true);
      const failing = async () => {
        const answer = await fetch(`${service.address}/health/ready`);
        const { checks } = (await answer.json()) as { checks: { name: string; ok: boolean }[] };
        return { status: answer.status, failing: checks.filter(({ ok }) => !ok) };
      };
      await expect.poll(failing, { timeout: 90_000 }).toEqual({ status: 200, failing: [] });
      expect((await sendWebhook(0)).status).toBe(200);
      await until(async () => {
        const answer = await fetch(`${service.address}/v1/jobs/runpod/job-0/media`, { headers: asAdmin() });
        return ((await answer.json()) as { items: { status: string }[] }).items[0]?.status === 'success';
      }, 60);
      // A caller is told to retry, never that an internal error occurred.
      expect([...refused.keys()].filter((outcome) => outcome.startsWith('500'))).toEqual([]);
      service.kill('SIGTERM');
      expect(await service.ended).toBe(0);
    } catch (error) {
      process.stdout.write(`the end of the log: ${service.output().slice(-6000)}\n`);
      throw error;
    } finally {
      state.over = true;
      service.kill('SIGKILL');
      await service.ended;
      await postgres.close();
      await folder.remove();
    }
  },
);

test('SIGTERM while the database is down: the service exits in time, with code 0', { timeout: 120_000 }, async () => {
  const folder = await createDataFolder('end-without-database');
  const postgres = await startRestartablePostgres(folder.path);
  const env = {
    DATA_DIR: folder.path,
    DATABASE_URL: postgres.connectionString,
    JWT_SECRET,
    LOG_LEVEL: 'warn',
    SHUTDOWN_GRACE_SECONDS: '5',
  };
  const service = await startService({ env });
  try {
    await postgres.stop('immediate');
    const parts = async () => {
      const text = await (await fetch(`${service.address}/metrics`)).text();
      return text.match(/mediakeep_background_part_up\{part="(tasks|events|totals)"\} 0/g)?.length;
    };
    await expect.poll(parts, { timeout: 30_000 }).toBe(3);
    const asked = performance.now();
    service.kill('SIGTERM');
    expect(await service.ended).toBe(0);
    expect(performance.now() - asked).toBeLessThan(15_000);
  } finally {
    service.kill('SIGKILL');
    await service.ended;
    await postgres.start();
    await postgres.close();
    await folder.remove();
  }
});
