// Case numbers in titles are those of the table in docs/threat-model.md.
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Capabilities, Driver } from '../../src/storage/driver.ts';
import { type Store, createStore } from '../../src/storage/stores/store.ts';
import { breaking, chunked, readAll, stalling } from '../support/bodies.ts';
import { listContract } from './driver-contract-list.ts';

export interface DriverUnderTest {
  driver: Driver;
  /** Names of everything that the store holds for the keys below `prefix`, including temporary and hidden files. */
  everything(prefix: string): Promise<string[]>;
  close(): Promise<void>;
}

const MIB = 1024 ** 2;
/** They transfer 300 MiB; TEST_LARGE_BODIES=0 skips them. */
const LARGE = process.env['TEST_LARGE_BODIES'] !== '0';

/**
 * The contract of every driver, against a real store. Capabilities that a driver does not claim are not tested; they are given
 * beforehand, because tests are declared before anything is started.
 */
export function driverContract(
  name: string,
  capabilities: {
    range: boolean;
    list: boolean;
    overwrite?: boolean;
    /** False: readers may see an error or a mixture while an object is replaced. */
    atomicOverwrite?: boolean;
    maxObjectBytes?: number;
    /** Of the largest body that is tried; default 300. */
    largeMiB?: number;
  },
  create: () => Promise<DriverUnderTest>,
): void {
  describe(`${name}: driver contract`, () => {
    let under: DriverUnderTest;
    let driver: Driver;
    /** The driver as the service uses it: the store enforces a body's size and signal in front of every driver. */
    let store: Store;
    beforeAll(async () => {
      under = await create();
      driver = under.driver;
      store = createStore('contract', name, driver);
    });
    afterAll(() => under.close());

    let folders = 0;
    /** A separate folder for each test. */
    const folder = () => `contract/${(folders += 1)}`;
    const put = (key: string, bytes: Buffer, options: { size?: number; overwrite?: boolean } = {}) =>
      driver.put(key, chunked(bytes), { contentType: 'image/png', ...options });
    const read = async (key: string): Promise<Buffer | undefined> => {
      const found = await driver.get(key);
      return found && readAll(found.stream);
    };
    const largeMiB = capabilities.largeMiB ?? 300;
    const fits = (bytes: number) => capabilities.maxObjectBytes === undefined || bytes <= capabilities.maxObjectBytes;

    test('declares the capabilities that this suite expects, with a reason for each', () => {
      expect(driver.capabilities.range.able).toBe(capabilities.range);
      expect(driver.capabilities.list.able).toBe(capabilities.list);
      expect(driver.capabilities.maxObjectBytes).toBe(capabilities.maxObjectBytes);
      const named: (keyof Capabilities)[] = ['range', 'presignGet', 'presignPut', 'publicUrl', 'list'];
      for (const capability of named) expect(driver.capabilities[capability]).toHaveProperty('reason');
    });

    test.each([
      ['one byte', 1],
      ['no byte', 0],
      ['5 MiB and one byte', 5 * MIB + 1],
    ])('%s of announced size are stored, read, measured and deleted', async (_name, bytes) => {
      const key = `${folder()}/a.png`;
      const body = randomBytes(bytes);
      expect(await put(key, body, { size: bytes })).toMatchObject({ bytes });
      expect((await driver.stat(key))?.bytes).toBe(bytes);
      const found = await driver.get(key);
      expect(found).toMatchObject({ bytes, totalBytes: bytes });
      expect(found && (await readAll(found.stream)).equals(body)).toBe(true);
      await driver.delete(key);
      expect(await driver.stat(key)).toBeUndefined();
    });

    test('a body of unknown size is stored whole', async () => {
      const key = `${folder()}/a.bin`;
      const body = randomBytes(MIB + 17);
      expect(await put(key, body)).toMatchObject({ bytes: body.length });
      expect((await read(key))?.equals(body)).toBe(true);
    });

    test.runIf(LARGE && fits(largeMiB * MIB))(
      `${largeMiB} MiB of unknown size are stored whole`,
      { timeout: 300_000 },
      async () => {
        const key = `${folder()}/large.bin`;
        const block = randomBytes(MIB);
        async function* blocks() {
          for (let count = 0; count < largeMiB; count += 1) yield block;
        }
        expect(await driver.put(key, blocks(), { contentType: 'video/mp4' })).toMatchObject({ bytes: largeMiB * MIB });
        const hash = createHash('sha256');
        for await (const chunk of (await driver.get(key))?.stream ?? []) hash.update(chunk as Buffer);
        const expected = createHash('sha256');
        for (let count = 0; count < largeMiB; count += 1) expected.update(block);
        expect(hash.digest('hex')).toBe(expected.digest('hex'));
        await driver.delete(key);
      },
    );

    test.each([
      ['fewer', 10, 11],
      ['more', 10, 9],
      ['fewer, beyond one chunk,', 100_000, 100_001],
    ])('%s bytes than announced are an error and leave nothing', async (_name, bytes, size) => {
      const prefix = folder();
      const body = chunked(randomBytes(bytes));
      const wrong = store.put(`${prefix}/a.bin`, { body, contentType: 'image/png', size });
      await expect(wrong).rejects.toMatchObject({ code: 'length_mismatch' });
      expect(await driver.get(`${prefix}/a.bin`)).toBeUndefined();
      expect(await under.everything(prefix)).toEqual([]);
    });

    test('a body that fails is an error with its own message and leaves nothing', async () => {
      const prefix = folder();
      const broken = driver.put(`${prefix}/a.bin`, breaking(randomBytes(MIB)), { contentType: 'image/png' });
      await expect(broken).rejects.toThrow('the body broke off');
      expect(await under.everything(prefix)).toEqual([]);
    });

    test('an abort ends a write although its body hangs, and leaves nothing', async () => {
      const prefix = folder();
      const controller = new AbortController();
      const reason = new Error('given up');
      setTimeout(() => controller.abort(reason), 20);
      const { signal } = controller;
      const put = store.put(`${prefix}/a.bin`, {
        body: stalling(randomBytes(MIB)),
        contentType: 'image/png',
        signal,
      });
      await expect(put).rejects.toBe(reason);
      expect(await driver.stat(`${prefix}/a.bin`)).toBeUndefined();
      expect(await under.everything(prefix)).toEqual([]);
    });

    test('a signal that has already fired stops a write before it begins', async () => {
      const prefix = folder();
      const signal = AbortSignal.abort(new Error('too late'));
      const body = chunked(randomBytes(10));
      const put = store.put(`${prefix}/a.bin`, { body, contentType: 'image/png', signal });
      await expect(put).rejects.toThrow('too late');
      expect(await under.everything(prefix)).toEqual([]);
    });

    test('an existing key is refused and its object stays', async () => {
      const key = `${folder()}/a.txt`;
      await put(key, Buffer.from('first'));
      await expect(put(key, Buffer.from('second'))).rejects.toMatchObject({ code: 'EXISTS' });
      expect(String(await read(key))).toBe('first');
    });

    test('of twenty writers of one key exactly one wins, whole; the others get that it exists', async () => {
      const prefix = folder();
      const bodies = Array.from({ length: 20 }, () => randomBytes(200_000));
      const results = await Promise.allSettled(bodies.map((body) => put(`${prefix}/a.bin`, body)));
      const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []));
      expect(winners).toHaveLength(1);
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'EXISTS' });
      expect((await read(`${prefix}/a.bin`))?.equals(bodies[winners[0] ?? 0] ?? Buffer.alloc(0))).toBe(true);
      expect(await under.everything(prefix)).toEqual([`${prefix}/a.bin`]);
    });

    test('many writers of different keys in new folders all succeed', async () => {
      for (let round = 0; round < 10; round += 1) {
        const prefix = folder();
        const keys = Array.from({ length: 20 }, (_value, index) => `${prefix}/new/${index % 3}/deep/${index}`);
        // Not all at once: some arrive while others are creating the folders.
        await Promise.all(keys.map((key, index) => sleep(index / 5).then(() => put(key, Buffer.from(key)))));
        expect(await under.everything(prefix)).toEqual(keys.toSorted());
      }
    });

    if (capabilities.overwrite !== false) {
      test.skipIf(capabilities.atomicOverwrite === false)(
        'an overwrite is atomic: readers see the whole old or new object, whatever else happens',
        async () => {
          const prefix = folder();
          const key = `${prefix}/metadata.json`;
          const version = (byte: number) => Buffer.alloc(300_000 + byte, byte);
          await put(key, version(1), { overwrite: true });
          let writing = true;
          const seen = new Set<number>();
          const reader = (async () => {
            while (writing) {
              const bytes = await read(key);
              const first = bytes?.[0] ?? -1;
              expect(bytes?.equals(version(first))).toBe(true);
              seen.add(first);
            }
          })();
          for (let round = 0; round < 5; round += 1)
            await Promise.all([2, 3, 4].map((byte) => put(key, version(byte), { overwrite: true })));
          writing = false;
          await reader;
          expect([2, 3, 4]).toContain((await read(key))?.[0]);
          expect(await under.everything(prefix)).toEqual([key]);
        },
      );

      test('an overwrite that fails leaves the old bytes', async () => {
        const prefix = folder();
        await put(`${prefix}/a.json`, Buffer.from('old'));
        const put2 = driver.put(`${prefix}/a.json`, breaking(randomBytes(MIB)), {
          contentType: 'application/json',
          overwrite: true,
        });
        await expect(put2).rejects.toThrow('the body broke off');
        expect(String(await read(`${prefix}/a.json`))).toBe('old');
        expect(await under.everything(prefix)).toEqual([`${prefix}/a.json`]);
      });
    }

    test('a missing object is undefined for get and stat, and no error for delete', async () => {
      const prefix = folder();
      for (const key of [`${prefix}/none.png`, `${prefix}/no/such/folder/none.png`]) {
        expect(await driver.get(key)).toBeUndefined();
        expect(await driver.stat(key)).toBeUndefined();
        await driver.delete(key);
        await driver.delete(key);
      }
    });

    test('deleting one key leaves its neighbours', async () => {
      const prefix = folder();
      for (const name of ['1', '10', '1.png', '1/x']) if (name !== '1') await put(`${prefix}/${name}`, randomBytes(3));
      await driver.delete(`${prefix}/1`).catch(() => {});
      await driver.delete(`${prefix}/1.png`);
      expect(await under.everything(prefix)).toEqual([`${prefix}/1/x`, `${prefix}/10`]);
    });

    test.each([
      ['a name of 255 bytes', 'n'.repeat(255)],
      ['Unicode names', 'Käse 狐狸 🦊 عربي.png'],
      ['case 18: glob characters', '*[a]{b,c}?.png'],
      ['spaces, quotes, percent, hash', `a b'"%2e#&+;=~.png`],
    ])('%s are stored, read and deleted under exactly that key', async (_name, name) => {
      const prefix = folder();
      const key = `${prefix}/${name}`;
      await put(key, Buffer.from(name));
      expect(String(await read(key))).toBe(name);
      expect(await under.everything(prefix)).toEqual([key]);
      await driver.delete(key);
      expect(await under.everything(prefix)).toEqual([]);
    });

    test('a key of 1,000 bytes is stored and read', async () => {
      const prefix = folder();
      const key = `${prefix}/${'d'.repeat(190)}/${'e'.repeat(190)}/${'f'.repeat(190)}/${'g'.repeat(190)}/`.padEnd(
        1000,
        'h',
      );
      await put(key, Buffer.from('long'));
      expect(String(await read(key))).toBe('long');
    });

    if (capabilities.range) {
      test.each([
        ['the first byte', 0, 0],
        ['the last byte', 199_999, 199_999],
        ['the middle, across chunks', 65_000, 140_000],
        ['everything', 0, 199_999],
      ])('a range of %s returns exactly that', async (_name, start, end) => {
        const key = `${folder()}/a.bin`;
        const body = randomBytes(200_000);
        await put(key, body);
        const found = await driver.get(key, { range: { start, end } });
        expect(found).toMatchObject({ bytes: end - start + 1, totalBytes: 200_000 });
        expect(found && (await readAll(found.stream)).equals(body.subarray(start, end + 1))).toBe(true);
      });
    }

    if (capabilities.range) {
      test.each([
        ['beyond the end', 10, 20],
        ['across the end', 5, 20],
      ])("a range %s reports the object's size and is no failure of the store", async (_name, start, end) => {
        const key = `${folder()}/shorter.bin`;
        await put(key, Buffer.alloc(10));
        const found = await driver.get(key, { range: { start, end }, bytes: 30 });
        expect(found?.totalBytes).toBe(10);
        found?.stream.destroy();
      });
    }

    test('an abort ends a read', async () => {
      const key = `${folder()}/a.bin`;
      await put(key, randomBytes(8 * MIB));
      const controller = new AbortController();
      const found = await driver.get(key, { signal: controller.signal });
      const reading = (async () => {
        for await (const _chunk of found?.stream ?? []) controller.abort(new Error('enough'));
      })();
      await expect(reading).rejects.toBeInstanceOf(Error);
    });

    if (capabilities.list) listContract(() => driver, folder);

    test('is healthy', () => expect(driver.healthy()).resolves.toBeUndefined());
  });
}
