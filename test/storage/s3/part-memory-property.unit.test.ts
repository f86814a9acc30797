import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAppError } from '../../../src/errors.ts';
import { type S3Bucket, openBucket } from '../../../src/storage/s3/client.ts';
import { createPartMemory } from '../../../src/storage/s3/part-memory.ts';
import { putObject } from '../../../src/storage/s3/put.ts';
import { createDriverContext } from '../../support/storage/driver-context.ts';

// Everything between a body and the SDK is real; the SDK's requests are answered here, so that thousands of uploads with parts of
// 16 bytes can interleave in any order.

const PART_BYTES = 16;

interface Upload {
  chunks: number[];
  announced: boolean;
  fate: 'well' | 'breaks' | 'aborted';
  /** Turns of the event loop: between two chunks, and until it is aborted. */
  pace: number;
  patience: number;
}

interface Scenario {
  parts: number;
  uploads: Upload[];
  /** Repeated for the requests in turn: how many turns each takes, and how it ends. */
  requests: { turns: number; outcome: 'well' | 'again' | 'refused' }[];
}

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  parts: fc.integer({ min: 1, max: 5 }),
  uploads: fc.array(
    fc.record({
      chunks: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 6 }),
      announced: fc.boolean(),
      fate: fc.constantFrom<Upload['fate'][]>('well', 'well', 'breaks', 'aborted'),
      pace: fc.nat(4),
      patience: fc.nat(30),
    }),
    { minLength: 1, maxLength: 12 },
  ),
  requests: fc.array(
    fc.record({
      turns: fc.nat(6),
      outcome: fc.constantFrom<Scenario['requests'][number]['outcome'][]>('well', 'well', 'well', 'again', 'refused'),
    }),
    { minLength: 1, maxLength: 20 },
  ),
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex');

interface Input {
  Key: string;
  Body: Buffer;
  Metadata?: Record<string, string>;
}

/** Replaces the SDK: takes its time, fails, and goes on reading a body after it was aborted, has failed or was retried. */
function answering(requests: Scenario['requests']) {
  const reading: Promise<void>[] = [];
  const objects = new Map<string, { putId: string | undefined; bytes: number }>();
  let next = 0;
  let changed = 0;

  async function read(body: Buffer, count: number): Promise<void> {
    const before = md5(body);
    for (let turn = 0; turn < count; turn += 1) {
      await turns(1);
      if (md5(body) !== before) changed += 1;
    }
  }

  async function send(
    { constructor: { name }, input }: { constructor: { name: string }; input: Input },
    { abortSignal }: { abortSignal?: AbortSignal } = {},
  ): Promise<unknown> {
    const $metadata = { attempts: 1, httpStatusCode: 200 };
    const object = objects.get(input.Key) ?? { putId: undefined, bytes: 0 };
    if (name === 'HeadObjectCommand')
      return { $metadata, ContentLength: object.bytes, Metadata: { 'mediakeep-put': object.putId } };
    abortSignal?.throwIfAborted();
    const { turns: count, outcome } = requests[(next += 1) % requests.length] ?? { turns: 0, outcome: 'well' };
    const body = name === 'PutObjectCommand' || name === 'UploadPartCommand' ? input.Body : undefined;
    if (body && (outcome !== 'well' || abortSignal)) reading.push(read(body, count));
    const late = body && outcome !== 'well' ? read(body, count + 8) : undefined;
    if (late) reading.push(late);
    const begun = Math.floor(count / 2);
    await turns(begun);
    abortSignal?.throwIfAborted();
    await turns(count - begun);
    abortSignal?.throwIfAborted();
    if (outcome === 'refused' && name !== 'AbortMultipartUploadCommand')
      throw Object.assign(new Error('no'), { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } });
    if (outcome === 'again') $metadata.attempts = 2;
    if (name === 'CreateMultipartUploadCommand') {
      objects.set(input.Key, { putId: input.Metadata?.['mediakeep-put'], bytes: 0 });
      return { $metadata, UploadId: 'u' };
    }
    if (body) {
      objects.set(input.Key, {
        putId: object.putId ?? input.Metadata?.['mediakeep-put'],
        bytes: object.bytes + body.length,
      });
      return { $metadata, ETag: `"${md5(body)}"` };
    }
    return { $metadata };
  }
  return { send, changed: () => changed, ended: () => Promise.all(reading) };
}

async function* bodyOf({ chunks, fate, pace }: Upload): AsyncGenerator<Uint8Array> {
  for (const [index, bytes] of chunks.entries()) {
    await turns(pace);
    yield Buffer.alloc(bytes, index + 1);
  }
  if (fate === 'breaks') throw new Error('the body broke off');
}

test('for any sizes, failures and aborts: the bound holds, no upload waits for ever, all memory is released', async () => {
  const options = { bucket: 'b', createBucket: false, region: 'r', endpoint: 'http://127.0.0.1:9', prefix: '' };
  const opened = await openBucket(
    {
      ...options,
      publicEndpoint: undefined,
      credentials: { accessKeyId: 'a', secretAccessKey: 's' },
      forcePathStyle: true,
      presign: false,
      limits: { partBytes: PART_BYTES },
    },
    createDriverContext('s3'),
  );
  let stored = 0;
  const run = async ({ parts, uploads, requests }: Scenario) => {
    const bytes = parts * PART_BYTES;
    const memory = createPartMemory({ bytes, partBytes: PART_BYTES, waitMs: 3000, setting: 'S3_UPLOAD_MEMORY_BYTES' });
    const sdk = answering(requests);
    let most = 0;
    const s3: S3Bucket = {
      ...opened,
      client: { send: sdk.send } as never,
      memory: {
        ...memory,
        async take(wanted, signal) {
          const room = await memory.take(wanted, signal);
          most = Math.max(most, memory.reserved());
          return room;
        },
      },
    };
    const outcomes = await Promise.allSettled(
      uploads.map(async (upload, index) => {
        const gone = new AbortController();
        if (upload.fate === 'aborted') void turns(upload.patience).then(() => gone.abort(new Error('gone')));
        const size = upload.chunks.reduce((sum, chunk) => sum + chunk, 0);
        const result = await putObject(s3, String(index), bodyOf(upload), {
          contentType: 'a/b',
          overwrite: true,
          signal: gone.signal,
          size: upload.announced ? size : undefined,
        });
        expect(result.bytes).toBe(size);
        stored += 1;
      }),
    );
    await sdk.ended();
    const overloaded = outcomes.filter(
      (outcome) => outcome.status === 'rejected' && isAppError(outcome.reason, 'overloaded'),
    );
    memory.close();
    expect(overloaded).toEqual([]);
    expect(most).toBeLessThanOrEqual(bytes);
    expect(memory.reserved()).toBe(0);
    expect(sdk.changed()).toBe(0);
  };
  await fc.assert(fc.asyncProperty(scenarios, run), { numRuns: 400 });
  // Otherwise the checks above mean little.
  expect(stored).toBeGreaterThan(300);
  opened.close();
});
