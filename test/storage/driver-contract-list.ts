import { expect, test } from 'vitest';
import type { Driver } from '../../src/storage/driver.ts';
import { chunked } from '../support/bodies.ts';

/** The contract of a driver with `list`; `folder` returns a prefix that no other test uses. */
export function listContract(driver: () => Driver, folder: () => string): void {
  const put = (key: string, bytes: Buffer) => driver().put(key, chunked(bytes), { contentType: 'text/plain' });

  test('list returns keys in order of their code units, with sizes, and only those with the prefix', async () => {
    const prefix = folder();
    const names = ['images/b', 'images/a', 'images2/a', 'images-x/a', 'images.png', 'im', 'images/é', 'images/a.png'];
    for (const name of names) await put(`${prefix}/${name}`, Buffer.from(name));
    const list = async (below: string) => {
      const page = await driver().list(`${prefix}/${below}`);
      expect(page.cursor).toBeUndefined();
      return page.objects.map((object) => object.key.slice(prefix.length + 1));
    };
    expect(await list('')).toEqual(names.toSorted());
    expect(await list('images/')).toEqual(['images/a', 'images/a.png', 'images/b', 'images/é']);
    expect(await list('images')).toEqual(names.filter((name) => name !== 'im').toSorted());
    expect(await list('images2')).toEqual(['images2/a']);
    expect(await list('images/a')).toEqual(['images/a', 'images/a.png']);
    expect(await list('none')).toEqual([]);
    const [first] = (await driver().list(`${prefix}/images2`)).objects;
    expect(first?.bytes).toBe('images2/a'.length);
    expect(Math.abs(Date.now() - (first?.modifiedAt.getTime() ?? 0))).toBeLessThan(600_000);
  });

  test('a list of several pages continues at its cursor and ends, even if the cursor’s key is gone', async () => {
    const prefix = folder();
    const keys = Array.from({ length: 1203 }, (_value, index) => `${prefix}/${index % 7}/${index}.txt`);
    for (let at = 0; at < keys.length; at += 50)
      await Promise.all(keys.slice(at, at + 50).map((key) => put(key, Buffer.from('x'))));
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await driver().list(`${prefix}/`, cursor);
      seen.push(...page.objects.map((object) => object.key));
      cursor = page.cursor;
      if (cursor !== undefined) await driver().delete(cursor);
    } while (cursor !== undefined);
    expect(seen).toEqual(keys.toSorted());
    // For a store that needs a commit for each of them.
  }, 120_000);
}
