import { randomBytes } from 'node:crypto';
import { type IncomingMessage, Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { problemOf } from './exchange.ts';
import { videoHead } from './huge.ts';
import type { Job, Outcome, Work } from './jobs.ts';

type Slow = Extract<Work, { kind: 'slow' }>;
const TICK_MS = 250;

/** Many concurrent connections that read or write a little at a time; readers are cut off at the end, writers finish. */
export async function slowClients(work: Slow, job: Job): Promise<Outcome> {
  const outcome: Outcome = { requests: 0, bytes: 0, seconds: 0, p50: 0, p99: 0, errors: {}, kept: [] };
  const agent = new Agent({ keepAlive: false, maxSockets: Infinity });
  const started = performance.now();
  const one = async (client: Promise<number>) => {
    try {
      const bytes = await client;
      outcome.bytes += bytes;
      outcome.requests += 1;
    } catch (error) {
      const told = error instanceof Error ? error.message : String(error);
      outcome.errors[told] = (outcome.errors[told] ?? 0) + 1;
    }
  };
  await Promise.all([
    ...Array.from({ length: work.readers }, (_, index) => one(slowReader(work, job, index, agent))),
    ...Array.from({ length: work.writers }, () => one(slowWriter(work, job, agent))),
  ]);
  agent.destroy();
  outcome.seconds = (performance.now() - started) / 1000;
  return outcome;
}

async function slowReader(work: Slow, { origins, token }: Job, index: number, agent: Agent): Promise<number> {
  const target = work.targets[index % work.targets.length];
  const call = request(`${origins[0]}${target?.path}`, { agent, headers: { authorization: `Bearer ${token}` } });
  call.end();
  const response = await answerOf(call);
  response.pause();
  if (response.statusCode !== 200)
    throw new Error(`reader: ${problemOf(response.statusCode ?? 0, await text(response))}`);
  let cut: Error | undefined;
  response.on('error', (error) => (cut = error));
  let read = 0;
  const deadline = performance.now() + work.seconds * 1000;
  while (performance.now() < deadline) {
    await sleep(TICK_MS);
    if (cut) throw new Error(`reader: ${cut.message}`);
    read += (response.read(Math.min(work.bytesPerTick, response.readableLength)) as Buffer | null)?.length ?? 0;
  }
  call.destroy();
  if (read === 0) throw new Error('reader: not a byte came');
  return read;
}

async function slowWriter(work: Slow, { origins, token }: Job, agent: Agent): Promise<number> {
  const ticks = Math.floor((work.seconds * 1000) / TICK_MS);
  const bytes = ticks * work.bytesPerTick;
  const body = Buffer.alloc(bytes, randomBytes(1024));
  videoHead(bytes).copy(body);
  const call = request(`${origins[0]}${work.path}`, {
    method: 'POST',
    agent,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'video/mp4', 'content-length': bytes },
  });
  const answer = answerOf(call);
  answer.catch(() => {});
  for (let at = 0; at < bytes; at += work.bytesPerTick) {
    call.write(body.subarray(at, at + work.bytesPerTick));
    await sleep(TICK_MS);
  }
  call.end();
  const response = await answer;
  const told = await text(response);
  if (response.statusCode !== 201) throw new Error(`writer: ${problemOf(response.statusCode ?? 0, told)}`);
  return bytes;
}

function answerOf(call: ReturnType<typeof request>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    call.once('response', resolve);
    call.on('error', reject);
  });
}
