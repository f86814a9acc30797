import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Driver, PresignPutOptions } from '../../src/storage/driver.ts';
import { chunked } from '../support/bodies.ts';
import type { DriverUnderTest } from './driver-contract.ts';

/** The contract of a driver with `presignGet` and `presignPut`. Its URLs are fetched as any client does. */
export function presignContract(name: string, create: () => Promise<DriverUnderTest>): void {
  describe(`${name}: presigned URLs`, () => {
    let under: DriverUnderTest;
    let driver: Driver;
    beforeAll(async () => {
      under = await create();
      driver = under.driver;
    });
    afterAll(() => under.close());

    const body = randomBytes(5000);
    const store = (key: string) => driver.put(key, chunked(body), { contentType: 'image/webp' });
    const getUrl = async (key: string, expiresIn = 60, options = {}) =>
      (await driver.presignGet?.(key, { expiresIn, ...options })) ?? '';
    const putUrl = async (key: string, options: Partial<PresignPutOptions> = {}) => {
      const made = await driver.presignPut?.(key, {
        expiresIn: 60,
        contentType: 'image/webp',
        bytes: 5000,
        ...options,
      });
      if (!made) throw new Error('the driver presigns no PUT');
      return made;
    };
    const send = (url: string, headers: Record<string, string>, bytes: Buffer = body) =>
      fetch(url, { method: 'PUT', headers, body: new Uint8Array(bytes) }).then((answer) => answer.status);

    test('the methods exist exactly when the capability does', () => {
      expect(driver.presignGet !== undefined).toBe(driver.capabilities.presignGet.able);
      expect(driver.presignPut !== undefined).toBe(driver.capabilities.presignPut.able);
      expect(driver.publicUrl !== undefined).toBe(driver.capabilities.publicUrl.able);
    });

    test('a GET returns the bytes and the stored type', async () => {
      await store('presigned/a ü+&.webp');
      const answer = await fetch(await getUrl('presigned/a ü+&.webp'));
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('image/webp');
      expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
    });

    test('a GET can override stored headers, and return parts', async () => {
      await store('presigned/b.webp');
      const url = await getUrl('presigned/b.webp', 60, {
        contentType: 'application/octet-stream',
        contentDisposition: `attachment; filename="a b.webp"; filename*=UTF-8''%C3%BC.webp`,
        cacheControl: 'private, max-age=60',
      });
      const answer = await fetch(url, { headers: { range: 'bytes=10-19' } });
      expect(answer.status).toBe(206);
      expect(answer.headers.get('content-type')).toBe('application/octet-stream');
      expect(answer.headers.get('content-disposition')).toBe(
        `attachment; filename="a b.webp"; filename*=UTF-8''%C3%BC.webp`,
      );
      expect(answer.headers.get('cache-control')).toBe('private, max-age=60');
      expect(Buffer.from(await answer.arrayBuffer()).equals(body.subarray(10, 20))).toBe(true);
    });

    test('a GET of a missing object, of another object, or after its expiry is refused', async () => {
      await store('presigned/c.webp');
      expect((await fetch(await getUrl('presigned/none.webp'))).status).toBe(404);
      const other = (await getUrl('presigned/none.webp')).replace('none.webp', 'c.webp');
      expect((await fetch(other)).status).toBe(403);
      const short = await getUrl('presigned/c.webp', 1);
      await sleep(2100);
      expect((await fetch(short)).status).toBe(403);
    });

    test('a PUT stores the bytes and the type under exactly that key', async () => {
      const { url, headers } = await putUrl('presigned/d.webp');
      expect(await send(url, headers)).toBe(200);
      expect((await driver.stat('presigned/d.webp'))?.bytes).toBe(5000);
      const answer = await fetch(await getUrl('presigned/d.webp'));
      expect(answer.headers.get('content-type')).toBe('image/webp');
      await answer.body?.cancel();
    });

    test('a PUT of another length or type, or without its condition, is refused and stores nothing', async () => {
      const { url, headers } = await putUrl('presigned/e.webp');
      expect(await send(url, headers, randomBytes(4999))).toBe(403);
      expect(await send(url, headers, randomBytes(5001))).toBe(403);
      expect(await send(url, { ...headers, 'content-type': 'text/html' })).toBe(403);
      expect(await send(url, { 'content-type': 'image/webp' })).toBe(403);
      expect(await driver.stat('presigned/e.webp')).toBeUndefined();
    });

    test('a PUT never replaces an object, not even one it has stored itself', async () => {
      const { url, headers } = await putUrl('presigned/f.webp');
      expect(await send(url, headers)).toBe(200);
      expect(await send(url, headers)).toBe(412);
      await store('presigned/g.webp');
      const second = await putUrl('presigned/g.webp');
      expect(await send(second.url, second.headers)).toBe(412);
    });

    test('an empty body can be sent', async () => {
      const { url, headers } = await putUrl('presigned/empty.webp', { bytes: 0 });
      expect(await send(url, headers, Buffer.alloc(0))).toBe(200);
      expect((await driver.stat('presigned/empty.webp'))?.bytes).toBe(0);
    });

    test('more than seven days, no time and half a second are refused with the limit', async () => {
      for (const expiresIn of [604_801, 0, -1, 0.5, Number.NaN]) {
        await expect(getUrl('presigned/a.webp', expiresIn)).rejects.toThrow('1 to 604800 (7 days)');
        await expect(putUrl('presigned/a.webp', { expiresIn })).rejects.toThrow('1 to 604800 (7 days)');
      }
      expect(await getUrl('presigned/a.webp', 604_800)).toContain('X-Amz-Expires=604800');
    });
  });
}
