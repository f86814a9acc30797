import { existsSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Driver } from '../../../src/storage/driver.ts';
import { type Files, systemFiles } from '../../../src/storage/local/files.ts';
import { chunked, readAll } from '../../support/bodies.ts';
import { type Around, filesAround } from '../../support/storage/failing-files.ts';
import { createLocalVolume, filesBelow } from '../../support/storage/local-volume.ts';

const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const KEY = 'runs/r1/output_image.png';
const OLD = Buffer.from('old');

const withoutLinks =
  (around: Around): Around =>
  (call, file, work) =>
    around(call, file, () =>
      call === 'link' ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) : work(),
    );

/** What a reader finds under the key, by every way there is to find it. */
async function seenBy(driver: Driver): Promise<Buffer | undefined> {
  const listed = (await driver.list('')).objects.find((object) => object.key === KEY);
  const measured = await driver.stat(KEY);
  const found = await driver.get(KEY);
  const bytes = found && (await readAll(found.stream));
  expect(measured === undefined).toBe(listed === undefined);
  expect(bytes === undefined).toBe(listed === undefined);
  if (bytes) expect([listed?.bytes, measured?.bytes]).toEqual([bytes.length, bytes.length]);
  return bytes;
}

const WAYS = { 'by a link': false, 'by a rename': true } as const;

test.each(Object.entries(WAYS))(
  'a process that is killed at any step of a put, %s, leaves nothing or the whole object, and a sweep removes the rest',
  { timeout: 120_000 },
  async (_name, renames) => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          overwrite: fc.boolean(),
          before: fc.boolean(),
          // Larger than one write, too.
          size: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom(0, 1, 1_400_000)),
          step: fc.nat(27),
          /** The last call was carried out, although its result never arrived. */
          carriedOut: fc.boolean(),
        }),
        async ({ overwrite, before, size, step, carriedOut }) => {
          let left = Infinity;
          const dies: Around = async (call, _path, work) => {
            left -= 1;
            if (left > 0) return work();
            // The system closes the files of a process that ends.
            if (call === 'open.close') await work();
            else if (left === 0 && carriedOut) {
              const result = await work();
              if (call === 'open') await (result as FileHandle).close();
            }
            throw new Error('killed');
          };
          const files = filesAround(renames ? withoutLinks(dies) : dies);
          const volume = await createLocalVolume({ files, inside: MEMORY });
          try {
            const reader = await volume.reopen(systemFiles);
            const old = overwrite && before ? OLD : undefined;
            if (old) await reader.put(KEY, chunked(old), { contentType: 'image/png' });
            const body = Buffer.alloc(size, 'n');
            left = step + 1;
            const put = volume.driver.put(KEY, chunked(body), { contentType: 'image/png', overwrite });
            const acknowledged = await put.then(
              () => true,
              () => false,
            );
            const seen = await seenBy(reader);
            if (acknowledged) expect(seen?.equals(body)).toBe(true);
            else if (seen !== undefined) expect(seen.equals(body) || seen.equals(old ?? body)).toBe(true);
            else expect(old).toBeUndefined();
            await reader.delete(KEY);
            expect(await filesBelow(volume.root)).toEqual([]);
          } finally {
            await volume.close();
          }
        },
      ),
      { numRuns: 400 },
    );
  },
);

test.each(Object.entries(WAYS))(
  'at every step of a put, %s, a reader sees nothing or the whole object',
  async (_name, renames) => {
    for (const size of [0, 10, 1_400_000]) {
      const body = Buffer.alloc(size, 'n');
      let look = async () => {};
      const looks: Around = async (_call, _path, work) => {
        await look();
        return work();
      };
      const volume = await createLocalVolume({
        files: filesAround(renames ? withoutLinks(looks) : looks),
        inside: MEMORY,
      });
      const reader = await volume.reopen(systemFiles);
      const seen: (Buffer | undefined)[] = [];
      look = async () => void seen.push(await seenBy(reader));
      await volume.driver.put(KEY, chunked(body), { contentType: 'image/png' });

      expect(seen.length).toBeGreaterThan(8);
      for (const bytes of seen) expect(bytes === undefined || bytes.equals(body)).toBe(true);
      expect((await seenBy(reader))?.equals(body)).toBe(true);
      await volume.close();
    }
  },
);

test.each(Object.entries(WAYS))(
  'two writers of one key never replace each other, %s, in whatever order their calls are carried out',
  { timeout: 120_000 },
  async (_name, renames) => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.nat(40), async (scheduler, late) => {
        const ordered: Around = (call, _path, work) => scheduler.schedule(Promise.resolve(), call).then(work);
        const volume = await createLocalVolume({ inside: MEMORY });
        try {
          const files: Files = filesAround(renames ? withoutLinks(ordered) : ordered);
          const writers = Promise.all([volume.reopen(files), volume.reopen(files)]);
          const [one, two] = await scheduler.waitFor(writers);
          const put = async (driver: Driver, text: string, pauses: number) => {
            for (let pause = 0; pause < pauses; pause += 1) await files.lstat(volume.root);
            await driver.put(KEY, chunked(Buffer.from(text)), { contentType: 'image/png' });
            return text;
          };
          const results = await scheduler.waitFor(
            Promise.allSettled([put(one, 'first one', 0), put(two, 'another', late)]),
          );
          const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
          expect(won).toHaveLength(1);
          for (const result of results)
            if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'EXISTS' });
          expect(String(await seenBy(volume.driver))).toBe(won[0]);
          expect(await filesBelow(volume.root)).toEqual([KEY]);
        } finally {
          await volume.close();
        }
      }),
      { numRuns: 60 },
    );
  },
);
