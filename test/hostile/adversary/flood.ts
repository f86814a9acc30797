import http from 'node:http';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Sent repeatedly, so that a flood costs its sender no memory. */
const BLOCK = Buffer.alloc(256 * 1024, 'x');

export interface Target {
  /** The whole address. */
  url: string;
  headers: Record<string, string>;
}
export interface Refusal {
  /** 0: the connection was closed without a response. */
  status: number;
  code: string | undefined;
}

function begin({ url, headers }: Target, length: number | undefined) {
  const request = http.request(url, {
    method: 'POST',
    agent: false,
    headers: {
      'content-type': 'application/json',
      ...headers,
      ...(length !== undefined && { 'content-length': length }),
    },
  });
  const answer = new Promise<Refusal>((resolve) => {
    request.on('error', () => resolve({ status: 0, code: undefined }));
    request.on('response', async (response) => {
      let text = '';
      try {
        for await (const chunk of response) text += String(chunk);
      } catch {
        // Cut off after it had begun: what arrived counts.
      }
      const code = /"code":"(\w+)"/.exec(text)?.[1];
      resolve({ status: response.statusCode ?? 0, code });
    });
  });
  return { request, answer };
}

/** Sends a body of so many bytes as fast as possible; stops at the response. */
export async function pour(target: Target, bytes: number): Promise<Refusal> {
  const { request, answer } = begin(target, bytes);
  let over = false;
  const answered = answer.finally(() => (over = true));
  for (let sent = 0; sent < bytes && !over; sent += BLOCK.length) {
    const room = request.write(BLOCK.subarray(0, Math.min(BLOCK.length, bytes - sent)));
    if (!room) await Promise.race([once(request, 'drain').catch(() => {}), answered]);
  }
  if (!over) request.end();
  const refusal = await answered;
  request.destroy();
  return refusal;
}

/** Sends a byte at a time until the response. @param announced the Content-Length; undefined: chunked */
export async function drip(target: Target, announced: number | undefined, everyMs = 1000): Promise<Refusal> {
  const { request, answer } = begin(target, announced);
  let over = false;
  const answered = answer.finally(() => (over = true));
  while (!over) {
    request.write(' ');
    await Promise.race([sleep(everyMs), answered]);
  }
  request.destroy();
  return answered;
}

/** Counts each outcome. */
export function tally(refusals: readonly Refusal[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, code } of refusals) {
    const name = `${status} ${code ?? ''}`.trim();
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
