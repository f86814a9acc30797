// Case numbers in titles are those of the table in docs/threat-model.md.
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createLocalDriver } from '../../../src/storage/local/local-driver.ts';
import { createStore } from '../../../src/storage/stores/store.ts';
import { chunked } from '../../support/bodies.ts';
import { createDriverContext } from '../../support/storage/driver-context.ts';
import { type FuseMount, mountPlain, mountRclone, whyNoFuse } from '../../support/storage/fuse.ts';
import { filesBelow } from '../../support/storage/local-volume.ts';
import { driverContract } from '../driver-contract.ts';

const CAPABILITIES = { range: true, list: true, largeMiB: 8 };

const noRclone = whyNoFuse('rclone');
const noFusepy = whyNoFuse('fusepy');
if (noRclone !== undefined) process.stdout.write(`rclone mounts are not tested: ${noRclone}\n`);
if (noFusepy !== undefined) process.stdout.write(`a FUSE mount without links is not tested: ${noFusepy}\n`);

async function openOn(mounting: Promise<FuseMount>) {
  const mount = await mounting;
  const log: string[] = [];
  const context = { ...createDriverContext('local'), log: (_level: string, message: string) => void log.push(message) };
  const open = () => createLocalDriver({ root: path.join(mount.folder, 'volume'), mountAliases: [] }, context);
  return { mount, log, open, driver: await open() };
}

function contractOn(name: string, mount: () => Promise<FuseMount>, atomicOverwrite = true): void {
  driverContract(name, { ...CAPABILITIES, atomicOverwrite }, async () => {
    const { mount: mounted, driver } = await openOn(mount());
    return {
      driver,
      everything: async (prefix) =>
        (await filesBelow(path.join(mounted.folder, 'volume', prefix))).map((file) => `${prefix}/${file}`).toSorted(),
      close: () => mounted.close(),
    };
  });
}

describe.skipIf(noRclone !== undefined)('rclone', () => {
  // It reads by name, so an open file that is replaced gives an error or bytes of both.
  for (const cache of ['writes', 'off'] as const)
    contractOn(`local on rclone mount --vfs-cache-mode ${cache}`, () => mountRclone(cache), false);
});

describe.skipIf(noFusepy !== undefined)('a FUSE file system without hard links', () => {
  contractOn('local on a FUSE file system without links', () => mountPlain({ links: 'ENOSYS' }));

  const mounts: FuseMount[] = [];
  afterAll(async () => {
    for (const mount of mounts) await mount.close();
  });

  test('what was found out is logged once, with the reason', async () => {
    const { mount, log, open } = await openOn(mountPlain({ links: 'EOPNOTSUPP' }));
    mounts.push(mount);
    expect(log).toEqual([expect.stringMatching(/by a rename, because hard links fail \(E(OP)?NOTSUP/)]);
    expect((await open()).remark?.()).toContain('folders cannot be synced (EINVAL)');
  });

  test('case 100: a mount whose process died is unavailable; nothing counts as missing', async () => {
    const { mount, driver } = await openOn(mountPlain({ links: 'EIO' }));
    mounts.push(mount);
    await driver.put('a/b.png', chunked(Buffer.from('x')), { contentType: 'image/png' });
    const store = createStore('local', 'local', driver);
    await mount.kill();
    const unavailable = { code: 'store_unavailable' };
    await expect(store.get('a/b.png')).rejects.toMatchObject(unavailable);
    await expect(store.get('a/never.png')).rejects.toMatchObject(unavailable);
    await expect(store.stat('a/b.png')).rejects.toMatchObject(unavailable);
    await expect(store.list('')).rejects.toMatchObject(unavailable);
    const body = chunked(Buffer.from('x'));
    await expect(store.put('a/c.png', { body, contentType: 'image/png' })).rejects.toMatchObject(unavailable);
    expect(store.available()).toBe(false);
  });

  test('where case is ignored, a name has one spelling: another one names no object and takes no upload', async () => {
    const { mount, driver } = await openOn(mountPlain({ links: 'EPERM', ignoreCase: true }));
    mounts.push(mount);
    expect(driver.remark?.()).toContain('upper and lower case are not told apart');
    const put = (key: string) => driver.put(key, chunked(Buffer.from(key)), { contentType: 'image/png' });
    await put('outputs/ann/Sub/a.png');
    for (const other of ['OUTPUTS/ann/Sub/a.png', 'outputs/ann/sub/a.png', 'outputs/ann/Sub/A.png']) {
      expect(await driver.get(other)).toBeUndefined();
      expect(await driver.stat(other)).toBeUndefined();
      await expect(put(other)).rejects.toMatchObject({ code: 'NOT_A_FILE' });
      await driver.delete(other);
    }
    await expect(put('outputs/ann/sub/b.png')).rejects.toMatchObject({ code: 'NOT_A_FILE' });
    expect((await driver.list('')).objects.map(({ key }) => key)).toEqual(['outputs/ann/Sub/a.png']);
    // Writers of both spellings at the same time.
    const results = await Promise.allSettled(['new/x.png', 'new/X.png', 'new/x.PNG'].map(put));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await filesBelow(path.join(mount.folder, 'volume', 'new'))).toHaveLength(1);
  });
});
