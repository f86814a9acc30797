import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { type IncomingMessage, type Server, createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sendableStream } from '../../../src/http/responses/sendable-stream.ts';
import { FileStream } from '../../../src/storage/streams/file-stream.ts';
import { readAll } from '../../support/bodies.ts';

const MIB = 1024 * 1024;
const files = [3 * MIB + 17, 2 * MIB, MIB + 1].map((bytes) => randomBytes(bytes));
let folder: string;
let server: Server;
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const file = (index: number) => path.join(folder, String(index));
const openFiles = () => readdirSync('/proc/self/fd').length;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-stream-'));
  await Promise.all(files.map((bytes, index) => writeFile(file(index), bytes)));
  server = createServer((request, response) => {
    const index = Number(request.url?.slice(1));
    const bytes = files[index]?.length ?? 0;
    response.setHeader('content-length', bytes);
    void open(file(index)).then((handle) => {
      const stream = new FileStream(handle, { start: 0, bytes });
      stream.on('error', () => response.destroy());
      response.on('close', () => stream.destroy());
      sendableStream({ stream, sendTo: stream.sendTo.bind(stream) }).pipe(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

const request = (index: number) =>
  new Promise<IncomingMessage>((resolve, reject) =>
    get({ port: (server.address() as AddressInfo).port, path: `/${index}`, agent: false }, resolve).on('error', reject),
  );

test('many concurrent responses to fast and slow readers each contain exactly their own file', async () => {
  const asked = Array.from({ length: 30 }, (_, n) => n % files.length);
  const digests = await Promise.all(
    asked.map(async (index, n) => {
      const answer = await request(index);
      const hash = createHash('sha256');
      for await (const piece of answer) {
        hash.update(piece as Buffer);
        if (n % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
      }
      return hash.digest('hex');
    }),
  );
  expect(digests).toEqual(asked.map((index) => sha256(files[index] as Buffer)));
});

test('chunks that a reader keeps stay unchanged, and a part is exactly that part', async () => {
  const [bytes] = files as [Buffer];
  const whole = new FileStream(await open(file(0)), { start: 0, bytes: bytes.length });
  expect((await readAll(whole)).equals(bytes)).toBe(true);
  const part = new FileStream(await open(file(0)), { start: 1_000_000, bytes: 700_001 });
  expect((await readAll(part)).equals(bytes.subarray(1_000_000, 1_700_001))).toBe(true);
});

test('a reader that disconnects, and a file that becomes shorter, leave no file open', async () => {
  const before = openFiles();
  for (let n = 0; n < 10; n += 1) {
    const answer = await request(0);
    answer.destroy();
  }
  await writeFile(file(3), files[0] as Buffer);
  const stream = new FileStream(await open(file(3)), { start: 0, bytes: 3 * MIB });
  await truncate(file(3), MIB);
  await expect(readAll(stream)).rejects.toThrow('became shorter');
  await expect.poll(openFiles).toBeLessThanOrEqual(before);
});

test('a reader that disconnects before the stream is created leaves no file open', async () => {
  const before = openFiles();
  const handle = await open(file(0));
  const stream = new FileStream(handle, { start: 0, bytes: 3 * MIB }, { signal: AbortSignal.abort(new Error('gone')) });
  await expect(readAll(stream)).rejects.toThrow('aborted');
  await expect.poll(openFiles).toBeLessThanOrEqual(before);
  // Not closed by garbage collection, which Node does late and warns about.
  expect(handle.fd).toBe(-1);
});

test('sending one chunk after the other resolves only when every write has ended', async () => {
  const [bytes] = files as [Buffer];
  const stream = new FileStream(await open(file(0)), { start: 0, bytes: bytes.length });
  const sent: Buffer[] = [];
  await stream.sendTo(async (piece) => {
    const copy = Buffer.from(piece);
    await new Promise((resolve) => setTimeout(resolve, 20));
    sent.push(copy);
  });
  expect(Buffer.concat(sent).equals(bytes)).toBe(true);
});

test('after a stream has been given up, nothing more of it is sent', async () => {
  const [bytes] = files as [Buffer];
  const stream = new FileStream(await open(file(0)), { start: 0, bytes: bytes.length });
  stream.on('error', () => {});
  let sent = 0;
  const sending = stream.sendTo(async () => {
    sent += 1;
    stream.destroy();
  });
  await sending;
  expect(sent).toBe(1);
});

test('while many files are read at once, each is read in smaller pieces', async () => {
  const opened = async () => new FileStream(await open(file(0)), { start: 0, bytes: 3 * MIB });
  const first = async (stream: FileStream) => {
    for await (const piece of stream) return (piece as Buffer).length;
    return 0;
  };
  expect(await first(await opened())).toBe(256 * 1024);
  const many = await Promise.all(Array.from({ length: 200 }, opened));
  const pieces = await Promise.all(many.slice(0, 20).map(first));
  // Two of each are in memory.
  for (const bytes of pieces) expect(bytes * 2 * 200).toBeLessThanOrEqual(36 * MIB);
  for (const bytes of pieces) expect(bytes).toBeGreaterThanOrEqual(64 * 1024);
  for (const stream of many) stream.destroy();
  expect(await first(await opened())).toBe(256 * 1024);
});
