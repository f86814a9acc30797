import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { openFileSystem } from '../../../src/storage/local/file-system.ts';
import { systemFiles } from '../../../src/storage/local/files.ts';
import { createLocalPut } from '../../../src/storage/local/put.ts';
import { type WritePart, gather, gatherBytes, writeParts } from '../../../src/storage/local/write.ts';
import { createDriverContext } from '../../support/storage/driver-context.ts';

test('parts contain the body in order, as large as requested, and only the last is marked as last', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 20 })),
      fc.integer({ min: 1, max: 50 }),
      async (chunks, most) => {
        const parts: WritePart[] = [];
        for await (const part of gather(Readable.from(chunks, { objectMode: true }), { most: () => most }))
          parts.push(part);
        expect(Buffer.concat(parts.flatMap((part) => part.chunks))).toEqual(Buffer.concat(chunks));
        expect(parts.map((part) => part.last)).toEqual(parts.map((_part, index) => index === parts.length - 1));
        for (const part of parts) {
          expect(Buffer.concat(part.chunks)).toHaveLength(part.bytes);
          if (!part.last) expect(part.bytes).toBeGreaterThanOrEqual(most);
          expect(part.bytes - (part.chunks.at(-1)?.length ?? 0)).toBeLessThan(most);
        }
      },
    ),
  );
});

test('tiny chunks are joined to few, and large ones between them are kept', async () => {
  const tiny = Array.from({ length: 50_000 }, (_none, index) => Buffer.from([index % 251]));
  const large = Buffer.alloc(10_000, 'l');
  const body = [large, ...tiny, large, Buffer.from('x'), large];
  const parts = gather(Readable.from(body), { most: () => 1024 ** 2 });
  const part = (await parts.next()).value;
  expect(part?.chunks.length).toBeLessThan(250);
  expect(part?.chunks.filter((chunk) => chunk === large)).toHaveLength(3);
  expect(Buffer.concat(part?.chunks ?? []).equals(Buffer.concat(body))).toBe(true);
});

test('a writer gathers more than a megabyte at first, then half of one, and less with many writers', () => {
  const first = [1, 64, 200, 100_000].map((writers) => gatherBytes(writers, true));
  expect(first).toEqual([1280 * 1024, 256 * 1024, 83_886, 64 * 1024]);
  const later = [1, 64, 200, 100_000].map((writers) => gatherBytes(writers, false));
  expect(later).toEqual([512 * 1024, 256 * 1024, 83_886, 64 * 1024]);
});

test('a large file is synced while it is written, a failed sync is reported by the end, and all of it is written', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-ahead-'));
  const MIB = 1024 ** 2;
  const part = (bytes: number, last: boolean): WritePart => ({ chunks: [Buffer.alloc(bytes)], bytes, last });
  const write = async (parts: number, datasync: () => Promise<void>) => {
    const handle = await open(path.join(folder, 'file'), 'w');
    handle.datasync = datasync;
    async function* further(): AsyncGenerator<WritePart, undefined> {
      for (let left = parts - 1; left > 0; left -= 1) yield part(9 * MIB, left === 1);
    }
    try {
      return await writeParts(handle, part(1024, parts === 1), further());
    } finally {
      await handle.close();
    }
  };
  let syncs = 0;
  expect(await write(1, async () => void (syncs += 1))).toBe(1024);
  expect(syncs).toBe(0);
  expect(await write(8, async () => void (syncs += 1))).toBe(1024 + 7 * 9 * MIB);
  expect(syncs).toBe(3);
  let failures = 0;
  const failsOnce = async () => {
    failures += 1;
    await sleep(30);
    if (failures === 1) throw new Error('EIO');
  };
  await expect(write(4, failsOnce)).rejects.toThrow('EIO');
  await rm(folder, { recursive: true });
});

async function putBelow(root: string) {
  const system = await openFileSystem(root, systemFiles, createDriverContext('local'));
  const unchecked = async () => {};
  return createLocalPut(root, { files: systemFiles, system, checkMounted: unchecked, checkSpelling: unchecked });
}

test('a folder that was removed since it was made durable is created and synced again, also for overwrites', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'mediakeep-gone-'));
  const handle = await open(root);
  const sync = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'sync');
  try {
    const put = await putBelow(root);
    for (const overwrite of [false, true]) {
      const write = () =>
        put(path.join(root, 'runs', 'r1', `${overwrite}.json`), Readable.from([Buffer.from('{}')]), {
          contentType: 'application/json',
          overwrite,
        });
      await write();
      await rm(path.join(root, 'runs'), { recursive: true });
      sync.mockClear();
      await write();
      // The root for `runs`, `runs` for `r1`, and `r1` for the file.
      expect(sync).toHaveBeenCalledTimes(3);
    }
  } finally {
    sync.mockRestore();
    await handle.close();
    await rm(root, { recursive: true });
  }
});

test('a file is synced before it gets its name, and its folder after that, for new files and overwrites', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-synced-'));
  const handle = await open(folder);
  const prototype = Object.getPrototypeOf(handle) as typeof handle;
  const calls: string[] = [];
  const final = path.join(folder, 'a.txt');
  const named = () =>
    stat(final).then(
      () => 'named',
      () => 'unnamed',
    );
  const [datasync, sync] = [prototype.datasync, prototype.sync];
  prototype.datasync = async function () {
    calls.push(`file synced, ${await named()}`);
    return datasync.call(this);
  };
  prototype.sync = async function () {
    calls.push(`folder synced, ${await named()}`);
    return sync.call(this);
  };
  try {
    const put = await putBelow(folder);
    calls.length = 0;
    for (const overwrite of [false, true])
      await put(final, Readable.from([Buffer.from('text')]), { contentType: 'text/plain', overwrite });
    expect(calls).toEqual([
      'file synced, unnamed',
      'folder synced, named',
      'file synced, named',
      'folder synced, named',
    ]);
  } finally {
    Object.assign(prototype, { datasync, sync });
    await handle.close();
    await rm(folder, { recursive: true });
  }
});
