import { constants } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { createLocalPut } from '../../../src/storage/local/put.ts';
import { hasDurableWrites, openTemporary } from '../../../src/storage/local/temporary.ts';
import { type WritePart, gather, gatherBytes, writeParts } from '../../../src/storage/local/write.ts';
import { SharedFolders } from '../../../src/storage/local/shared-folders.ts';

/** Folders whose descriptors are counted; each name leads to the same existing folder. */
function folders(sync: () => Promise<void>) {
  const counted = { opened: 0, closed: 0 };
  const shared = new SharedFolders({
    open: async () => {
      const handle = await open(tmpdir());
      counted.opened += 1;
      const close = handle.close.bind(handle);
      handle.close = async () => {
        counted.closed += 1;
        await close();
      };
      return handle;
    },
    sync,
  });
  return { shared, counted };
}

test("a writer that arrives during a folder's sync waits for the next sync, and shares it", async () => {
  const began: number[] = [];
  let clock = 0;
  const { shared, counted } = folders(async () => {
    began.push((clock += 1));
    await sleep(10);
  });
  const writers = Array.from({ length: 4 }, () => shared.enter('a'));
  const [one, ...more] = writers.map((writer) => () => writer.sync());
  const first = one?.();
  await sleep(1);
  const asked = (clock += 1);
  const others = await Promise.all(more.map((sync) => sync())).then(() => began.length);
  await first;
  expect(others).toBe(2);
  expect(began[1]).toBeGreaterThan(asked);
  await one?.();
  expect(began).toHaveLength(3);
  expect(counted).toEqual({ opened: 1, closed: 0 });
  for (const writer of writers) writer.leave();
  await expect.poll(() => counted).toEqual({ opened: 1, closed: 1 });
});

test('a failed sync fails all writers that had entered, and the next one opens the folder anew', async () => {
  let fails = true;
  const { shared, counted } = folders(async () => {
    await sleep(1);
    if (fails) throw new Error('no');
  });
  const writers = ['first', 'while it runs', 'later'].map(() => shared.enter('a'));
  const [first, second, third] = writers.map((writer) => () => writer.sync());
  const running = [first?.(), second?.()];
  await expect(running[0]).rejects.toThrow('no');
  fails = false;
  await expect(running[1]).rejects.toThrow('no');
  await expect(third?.()).rejects.toThrow('no');
  const next = shared.enter('a');
  await expect(next.sync()).resolves.toBeUndefined();
  for (const writer of [...writers, next]) writer.leave();
  await expect.poll(() => counted).toEqual({ opened: 2, closed: 2 });
});

test('later writers open a replaced folder anew', async () => {
  const { shared, counted } = folders(async () => {});
  const old = shared.enter('a');
  shared.forget('a');
  const [next, further] = [shared.enter('a'), shared.enter('a')];
  await expect.poll(() => counted.opened).toBe(2);
  old.leave();
  next.leave();
  await expect.poll(() => counted.closed).toBe(1);
  await further.sync();
  further.leave();
  await expect.poll(() => counted.closed).toBe(2);
});

test('a folder that was removed or moved under its writers is opened anew', async () => {
  const base = await mkdtemp(path.join(tmpdir(), 'mediakeep-folders-'));
  const folder = path.join(base, 'a');
  const synced: number[] = [];
  const shared = new SharedFolders({ sync: async (handle) => void synced.push((await handle.stat()).ino) });
  for (const put of ['rm', 'mv'] as const) {
    await mkdir(folder);
    const old = shared.enter(folder);
    await old.sync();
    await (put === 'rm' ? rmdir(folder) : rename(folder, path.join(base, 'b')));
    await mkdir(folder);
    const next = shared.enter(folder);
    await next.sync();
    expect(synced.pop()).toBe((await stat(folder)).ino);
    for (const writer of [old, next]) writer.leave();
    await rmdir(folder);
  }
  await rm(base, { recursive: true });
});

test('the next writer retries a folder that could not be opened', async () => {
  let there = false;
  const shared = new SharedFolders({
    open: async () => {
      if (!there) throw new Error('ENOENT');
      return open(tmpdir());
    },
    sync: async () => {},
  });
  const first = shared.enter('a');
  await expect(first.sync()).rejects.toThrow('ENOENT');
  there = true;
  const second = shared.enter('a');
  await expect(second.sync()).resolves.toBeUndefined();
  first.leave();
  const third = shared.enter('a');
  await expect(third.sync()).resolves.toBeUndefined();
  for (const writer of [second, third]) writer.leave();
});

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

test('a folder that was removed since it was made durable is created and synced again, also for overwrites', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'mediakeep-gone-'));
  const handle = await open(root);
  const sync = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'sync');
  try {
    const put = createLocalPut(root, { checkMounted: async () => {}, durableWrites: true });
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

test.runIf(process.platform === 'linux')('a file that is written at once is opened with durable writes', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-durable-'));
  try {
    for (const overwrite of [false, true])
      for (const durable of [false, true]) {
        const final = path.join(folder, `${overwrite}-${durable}.png`);
        const opened = await openTemporary(final, { overwrite, durable });
        const info = await readFile(`/proc/self/fdinfo/${opened.handle.fd}`, 'utf8');
        const flags = Number.parseInt(/flags:\s+(\d+)/.exec(info)?.[1] ?? '', 8);
        expect((flags & constants.O_DSYNC) === constants.O_DSYNC).toBe(durable);
        await opened.handle.close();
      }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.runIf(process.platform === 'linux')(
  'where writes are not known to be durable, a file is synced, even one that is written at once',
  async () => {
    // A file system that is not in the list.
    expect(await hasDurableWrites('/proc')).toBe(false);
    const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-synced-'));
    const handle = await open(folder);
    const datasync = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'datasync');
    try {
      for (const durableWrites of [false, true])
        for (const overwrite of [false, true]) {
          datasync.mockClear();
          const put = createLocalPut(folder, { checkMounted: async () => {}, durableWrites });
          const options = { contentType: 'text/plain', overwrite };
          await put(
            path.join(folder, `${durableWrites}-${overwrite}.txt`),
            Readable.from([Buffer.from('text')]),
            options,
          );
          expect(datasync).toHaveBeenCalledTimes(durableWrites ? 0 : 1);
        }
    } finally {
      datasync.mockRestore();
      await handle.close();
      await rm(folder, { recursive: true });
    }
  },
);
