import { Client } from 'undici';
import { BOUNDARY, bodiesOf } from './bodies.ts';
import { type Answer, type Plan, exchange, problemOf } from './exchange.ts';
import { hugeUpload } from './huge.ts';
import type { Job, Kept, Outcome, Work } from './jobs.ts';
import { presign } from './presign.ts';
import { slowClients } from './slow.ts';

// The load generator, in a separate process: takes jobs from its parent, one after the other, and returns their outcomes.

/** A request, and its expected response. */
interface Attempt extends Plan {
  check(answer: Answer): string | undefined;
  kept?(answer: Answer): Kept;
  sent: number;
  /** Returns borrowed objects. */
  done?(): void;
}

const TIMEOUT_MS = 60_000;
/** A server that returns only errors gets no further requests. */
const MAX_ERRORS = 200;

async function run(job: Job): Promise<Outcome> {
  const { work } = job;
  if (work.kind === 'presign') return presign(work, job);
  if (work.kind === 'huge') return hugeUpload(work, job);
  if (work.kind === 'slow') return slowClients(work, job);
  const next = await attempts(work, job.token);
  const latencies: number[] = [];
  const outcome: Outcome = { requests: 0, bytes: 0, seconds: 0, p50: 0, p99: 0, errors: {}, kept: [] };
  let begun = 0;
  let failed = 0;
  const started = performance.now();
  const deadline = started + job.maxSeconds * 1000;
  const connection = async (index: number) => {
    const client = new Client(job.origins[index % job.origins.length] ?? '', {
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      keepAliveTimeout: TIMEOUT_MS,
    });
    while (begun < job.maxRequests && performance.now() < deadline && failed < MAX_ERRORS) {
      begun += 1;
      const attempt = next();
      const at = performance.now();
      try {
        const answer = await exchange(client, attempt);
        latencies.push(performance.now() - at);
        const problem =
          answer.status >= 200 && answer.status < 300 ? attempt.check(answer) : problemOf(answer.status, answer.body);
        if (problem !== undefined) throw new Error(problem);
        outcome.requests += 1;
        outcome.bytes += attempt.sent > 0 ? attempt.sent : answer.bytes;
        if (attempt.kept) outcome.kept.push(attempt.kept(answer));
      } catch (error) {
        failed += 1;
        const told = error instanceof Error ? error.message : String(error);
        outcome.errors[told] = (outcome.errors[told] ?? 0) + 1;
      } finally {
        attempt.done?.();
      }
    }
    await client.close();
  };
  await Promise.all(Array.from({ length: job.concurrency }, (_, index) => connection(index)));
  outcome.seconds = (performance.now() - started) / 1000;
  latencies.sort((a, b) => a - b);
  outcome.p50 = latencies[Math.floor(latencies.length * 0.5)] ?? 0;
  outcome.p99 = latencies[Math.floor(latencies.length * 0.99)] ?? 0;
  return outcome;
}

async function attempts(
  work: Exclude<Work, { kind: 'presign' | 'huge' | 'slow' }>,
  token: string,
): Promise<() => Attempt> {
  const authorization = `Bearer ${token}`;
  let index = 0;
  switch (work.kind) {
    case 'upload': {
      const free = [...(await bodiesOf(work.size))];
      return () => {
        const made = free.shift();
        if (!made) throw new Error('fewer bodies than connections');
        made.vary();
        const body = work.form === 'raw' ? made.raw : made.multipart;
        const type = work.form === 'raw' ? made.type : `multipart/form-data; boundary=${BOUNDARY}`;
        return {
          method: 'POST',
          path: work.path,
          headers: { authorization, 'content-type': type },
          body,
          keep: work.keep ?? false,
          sent: made.raw.length,
          check: () => undefined,
          ...(work.keep && {
            kept: (answer: Answer) => ({ body: answer.body, bytes: made.raw.length, sha256: made.sha256() }),
          }),
          done: () => void free.push(made),
        };
      };
    }
    case 'put': {
      const free = [...(await bodiesOf(work.size))];
      return () => {
        const made = free.shift();
        if (!made) throw new Error('fewer bodies than connections');
        made.vary();
        return {
          method: 'PUT',
          path: work.paths[index++ % work.paths.length] ?? '/',
          headers: {},
          body: made.raw,
          sent: made.raw.length,
          check: () => undefined,
          done: () => void free.push(made),
        };
      };
    }
    case 'open':
      return () => ({
        method: work.method,
        path: work.paths[index++ % work.paths.length] ?? '/',
        headers: {},
        sent: 0,
        check: ({ bytes }) => (bytes < work.leastBytes ? `an answer of ${bytes} bytes` : undefined),
      });
    case 'get':
      return () => {
        const target = work.targets[index++ % work.targets.length];
        if (!target) throw new Error('no targets');
        return {
          method: 'GET',
          path: target.path,
          headers: { authorization },
          digest: work.digest ?? false,
          sent: 0,
          check: ({ bytes, sha256 }) => {
            if (bytes !== target.bytes) return `${bytes} bytes in place of ${target.bytes}`;
            return work.digest && sha256 !== target.sha256 ? 'the SHA-256 is another one' : undefined;
          },
        };
      };
    case 'json':
      return () => {
        const path = work.paths[index++ % work.paths.length] ?? '/';
        return {
          method: work.body === undefined ? 'GET' : 'POST',
          path,
          headers: { authorization, ...(work.body !== undefined && { 'content-type': 'application/json' }) },
          ...(work.body !== undefined && { body: work.body }),
          keep: work.keep ?? false,
          sent: 0,
          check: ({ bytes }) => (bytes < work.leastBytes ? `an answer of ${bytes} bytes` : undefined),
          ...(work.keep && { kept: ({ body, bytes }: Answer) => ({ body, bytes, sha256: '' }) }),
        };
      };
  }
}

process.on('message', (job: Job) => {
  run(job).then(
    (outcome) => process.send?.({ outcome }),
    (error: unknown) => process.send?.({ problem: error instanceof Error ? (error.stack ?? error.message) : error }),
  );
});
// Ends with its parent, however that ends; Ctrl-C reaches both, and the parent cleans up.
process.on('disconnect', () => process.exit());
process.on('SIGINT', () => {});
