import { type ClientRequest, request } from 'node:http';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createBodyMemory } from '../../../src/http/requests/body-memory.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

const MIB = 1024 ** 2;
let t: TestApp;
let address: string;
beforeAll(async () => {
  t = await createTestApp({ JSON_MEMORY_BYTES: String(3 * MIB), MAX_JSON_BYTES: String(4 * MIB) });
  address = await t.listen();
});
afterAll(() => t.close());

const headers = { ...asUser('a'), 'content-type': 'application/json' };
const url = () => `${address}/v1/media`;
/** A failed generation, so there is no file; beyond 64 KiB of metadata it is refused once it has been read. */
const body = (bytes: number) =>
  JSON.stringify({
    userId: 'a',
    status: 'failed',
    error: 'none',
    toolName: 'paint',
    metadata: { x: 'x'.repeat(bytes) },
  });
const post = (bytes: number) => fetch(url(), { method: 'POST', headers, body: body(bytes) });

/** Bytes that bodies hold, as reported by the service. */
async function held(): Promise<number> {
  const metrics = await (await fetch(`${address}/metrics`)).text();
  return Number(/^mediakeep_json_bodies_bytes (\d+)$/m.exec(metrics)?.[1]);
}

/** A body that begins and does not continue. */
async function begun(announced?: number): Promise<ClientRequest> {
  const call = request(url(), {
    method: 'POST',
    headers: { ...headers, ...(announced !== undefined && { 'content-length': announced }) },
  });
  call.on('error', () => {});
  call.write(Buffer.alloc(1.5 * MIB, ' '));
  await once(call, 'drain');
  return call;
}

test.each([
  ['says its length', 2 * MIB],
  ['does not', undefined],
])(
  'while one large JSON body that %s is being sent, another is refused with 503, and small ones are accepted',
  async (_name, announced) => {
    const first = await begun(announced);
    try {
      // Check the service: what has been sent need not have been read.
      await vi.waitUntil(async () => (await held()) > 1.5 * MIB, 20_000);
      const refused = await post(2 * MIB);
      expect(refused.status).toBe(503);
      expect(refused.headers.get('retry-after')).toBe('5');
      expect(await refused.json()).toMatchObject({ code: 'overloaded' });
      const unannounced = new Blob([body(2 * MIB)]).stream();
      const chunked = await fetch(url(), { method: 'POST', headers, body: unannounced, duplex: 'half' });
      expect(chunked.status).toBe(503);
      expect((await post(10)).status).toBe(201);
    } finally {
      first.destroy();
    }
    // Its memory is free again once it has ended.
    await vi.waitUntil(async () => (await held()) === 0, 20_000);
    expect((await post(2 * MIB)).status).not.toBe(503);
  },
);

test('a body larger than the bound is accepted when it is alone, repeatedly', async () => {
  for (let time = 0; time < 3; time += 1) expect((await post(3.5 * MIB)).status).not.toBe(503);
});

test('the room grows with the body, is released once, and an ended request takes none', () => {
  const memory = createBodyMemory(10 * MIB);
  const [one, two] = [memory.open(true), memory.open(true)];
  one.grow(2 * MIB);
  one.grow(4 * MIB);
  two.grow(1000);
  expect(memory.held()).toBe(4 * MIB);
  two.grow(6 * MIB);
  expect(memory.held()).toBe(10 * MIB);
  expect(() => one.grow(5 * MIB)).toThrow(expect.objectContaining({ code: 'overloaded', retryAfter: 5 }));
  expect(() => memory.open(true).grow(MIB)).toThrow(expect.objectContaining({ code: 'overloaded', retryAfter: 5 }));
  one.giveBack();
  one.giveBack();
  one.grow(4 * MIB);
  expect(memory.held()).toBe(6 * MIB);
});

test('bodies of unauthenticated senders share half of the room, and leave the other half to the others', () => {
  const memory = createBodyMemory(10 * MIB);
  const overloaded = expect.objectContaining({ code: 'overloaded' });
  const [stranger, other, caller] = [memory.open(false), memory.open(false), memory.open(true)];
  stranger.grow(4 * MIB);
  expect(() => other.grow(2 * MIB)).toThrow(overloaded);
  other.grow(MIB);
  caller.grow(5 * MIB);
  expect(memory.held()).toBe(10 * MIB);
  // Memory held by callers counts for strangers too.
  stranger.giveBack();
  expect(() => memory.open(true).grow(5 * MIB)).toThrow(overloaded);
  memory.open(false).grow(4 * MIB);
  expect(() => memory.open(false).grow(MIB)).toThrow(overloaded);
});

test('a stranger’s body larger than half of the room is accepted while no other stranger has any', () => {
  const memory = createBodyMemory(10 * MIB);
  memory.open(false).grow(7 * MIB);
  memory.open(true).grow(3 * MIB);
  expect(memory.held()).toBe(10 * MIB);
});

test('the fields of a form count like bodies', async () => {
  const fields = new FormData();
  for (let n = 0; n < 60; n += 1) fields.append(`unknown${n}`, 'x'.repeat(50 * 1024));
  const form = new Response(fields);
  const headers = { ...asUser('a'), 'content-type': form.headers.get('content-type') ?? '' };
  const body = await form.arrayBuffer();
  const send = async () => (await fetch(url(), { method: 'POST', headers, body })).status;
  const other = await begun(2 * MIB);
  try {
    await vi.waitUntil(async () => (await held()) > 1.5 * MIB, 20_000);
    expect(await send()).toBe(503);
  } finally {
    other.destroy();
  }
  await vi.waitUntil(async () => (await held()) === 0, 20_000);
  // The form has no file.
  expect(await send()).toBe(400);
  expect(await held()).toBe(0);
});
