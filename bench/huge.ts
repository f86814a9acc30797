import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type RequestOptions, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { BOUNDARY } from './bodies.ts';
import { problemOf } from './exchange.ts';
import type { Job, Outcome, Work } from './jobs.ts';

const CHUNK = randomFillSync(Buffer.allocUnsafe(1024 ** 2));

/** Header of a video of so many bytes: one large box, which every reader skips. */
export function videoHead(bytes: number): Buffer {
  const type = Buffer.from('000000186674797069736f6d0000020069736f6d6d703431', 'hex');
  const box = Buffer.alloc(16);
  box.writeUInt32BE(1, 0);
  box.write('mdat', 4);
  box.writeBigUInt64BE(BigInt(bytes - type.length), 8);
  return Buffer.concat([type, box]);
}

/** Generated while it is sent; `seen` gets every chunk. */
function* video(bytes: number, seen: (piece: Buffer) => void): Generator<Buffer> {
  const head = videoHead(bytes);
  seen(head);
  yield head;
  for (let left = bytes - head.length; left > 0; left -= CHUNK.length) {
    const piece = left >= CHUNK.length ? CHUNK : CHUNK.subarray(0, left);
    seen(piece);
    yield piece;
  }
}

function* joined(...parts: Iterable<Buffer>[]): Generator<Buffer> {
  for (const part of parts) yield* part;
}

/** One upload of a file that is too large to hold in memory. The response is kept. */
export async function hugeUpload(
  { form, bytes, path }: Extract<Work, { kind: 'huge' }>,
  { origins, token }: Job,
): Promise<Outcome> {
  const hash = createHash('sha256');
  const seen = (piece: Buffer) => void hash.update(piece);
  const to = (type: string, length?: number): RequestOptions => ({
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': type,
      ...(length !== undefined && { 'content-length': length }),
    },
  });
  const url = `${origins[0]}${path}`;
  const started = performance.now();
  let answer: { status: number; body: string };
  if (form === 'raw') {
    answer = await send(url, to('video/mp4', bytes), video(bytes, seen));
  } else if (form === 'multipart') {
    const before = Buffer.from(
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="big.mp4"\r\nContent-Type: video/mp4\r\n\r\n`,
    );
    const after = Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
    const length = before.length + bytes + after.length;
    const body = joined([before], video(bytes, seen), [after]);
    answer = await send(url, to(`multipart/form-data; boundary=${BOUNDARY}`, length), body);
  } else {
    answer = await viaUrl(bytes, seen, (source) =>
      send(url.split('?')[0] ?? '', to('application/json'), [
        Buffer.from(
          JSON.stringify({ userId: new URL(url).searchParams.get('userId'), source: { type: 'url', url: source } }),
        ),
      ]),
    );
  }
  const sha256 = hash.digest('hex');
  const problem =
    answer.status !== 201
      ? problemOf(answer.status, answer.body)
      : (JSON.parse(answer.body) as { sha256: string }).sha256 === sha256
        ? undefined
        : 'the SHA-256 is another one';
  return {
    requests: 1,
    bytes,
    seconds: (performance.now() - started) / 1000,
    p50: 0,
    p99: 0,
    errors: problem === undefined ? {} : { [problem]: 1 },
    kept: [{ body: answer.body, bytes, sha256 }],
  };
}

async function send(
  url: string,
  options: RequestOptions,
  body: Iterable<Buffer>,
): Promise<{ status: number; body: string }> {
  const call = request(url, options);
  // A handler at once: the response may come, or the connection fail, while the body is still being sent.
  const answered = once(call, 'response') as Promise<[IncomingMessage]>;
  const [[response]] = await Promise.all([
    answered,
    pipeline(Readable.from(body, { objectMode: false }), call).catch(() => {}),
  ]);
  return { status: response.statusCode ?? 0, body: await text(response) };
}

/** Serves the file at a local URL while `use` runs. */
async function viaUrl<T>(bytes: number, seen: (piece: Buffer) => void, use: (url: string) => Promise<T>): Promise<T> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': bytes });
    pipeline(Readable.from(video(bytes, seen), { objectMode: false }), response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/big.mp4`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
