// Case numbers in titles are those of the table in docs/threat-model.md.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  link,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chunked, readAll } from '../../support/bodies.ts';
import { type LocalVolume, createLocalVolume, filesBelow } from '../../support/storage/local-volume.ts';
import { driverContract } from '../driver-contract.ts';

driverContract('local', { range: true, list: true }, async () => {
  const volume = await createLocalVolume();
  return {
    driver: volume.driver,
    everything: async (prefix) =>
      (await filesBelow(path.join(volume.root, prefix))).map((file) => `${prefix}/${file}`).toSorted(),
    close: () => volume.close(),
  };
});

let v: LocalVolume;
beforeAll(async () => {
  v = await createLocalVolume();
});
afterAll(() => v.close());

const put = (key: string, text: string, overwrite = false) =>
  v.driver.put(key, chunked(Buffer.from(text)), { contentType: 'image/png', overwrite });
const inVolume = (key: string) => path.join(v.root, key);
const text = (file: string) => readFile(file, 'utf8');

/** Bytes after which a file is opened: more than one write. */
const openedBy = [Buffer.alloc(1400 * 1024), Buffer.from('x')];

test('case 14: a symlink as the file is neither read nor measured nor listed, and a put does not write through it', async () => {
  const secret = path.join(v.outside, 'secret.txt');
  await writeFile(secret, 'secret');
  await mkdir(inVolume('case14'));
  await symlink(secret, inVolume('case14/link.png'));
  await expect(v.driver.get('case14/link.png')).rejects.toMatchObject({ code: 'NOT_A_FILE' });
  await expect(v.driver.stat('case14/link.png')).rejects.toMatchObject({ code: 'NOT_A_FILE' });
  await expect(put('case14/link.png', 'new')).rejects.toMatchObject({ code: 'EXISTS' });
  expect((await v.driver.list('case14/')).objects).toEqual([]);
  await put('case14/link.png', 'new', true);
  expect(await text(secret)).toBe('secret');
  expect((await lstat(inVolume('case14/link.png'))).isSymbolicLink()).toBe(false);
});

test('case 14: a dangling symlink is not written through, and deleting a symlink leaves what it points to', async () => {
  await mkdir(inVolume('case14b'));
  const target = path.join(v.outside, 'made-through-a-link.txt');
  await symlink(target, inVolume('case14b/link.png'));
  await expect(put('case14b/link.png', 'x')).rejects.toMatchObject({ code: 'EXISTS' });
  await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
  await writeFile(target, 'theirs');
  await v.driver.delete('case14b/link.png');
  expect(await text(target)).toBe('theirs');
  expect(await filesBelow(inVolume('case14b'))).toEqual([]);
});

test('case 14: a symlink where the temporary file goes is not written through', async () => {
  const key = 'case14c/a.png';
  const gone = new Promise<string>((resolve) => {
    void v.driver.put(
      key,
      (async function* () {
        yield* openedBy;
        resolve((await readdir(inVolume('case14c')))[0] ?? '');
      })(),
      { contentType: 'image/png' },
    );
  });
  const temporary = await gone;
  await expect.poll(() => filesBelow(inVolume('case14c'))).toEqual(['a.png']);
  await v.driver.delete(key);
  const target = path.join(v.outside, 'victim.txt');
  await writeFile(target, 'theirs');
  await symlink(target, inVolume(`case14c/${temporary}`));
  await expect(put(key, 'x')).rejects.toMatchObject({ code: 'EXISTS' });
  expect(await text(target)).toBe('theirs');
  await v.driver.delete(key);
  await put(key, 'x');
  expect(await text(target)).toBe('theirs');
});

test('case 15: a symlinked parent leads nowhere for put, get, stat, delete and list, and no folder is made beyond it', async () => {
  const elsewhere = path.join(v.outside, 'elsewhere');
  await mkdir(path.join(elsewhere, 'deep'), { recursive: true });
  await writeFile(path.join(elsewhere, 'theirs.png'), 'theirs');
  await writeFile(path.join(elsewhere, 'deep/theirs.png'), 'theirs');
  await mkdir(inVolume('case15'));
  await symlink(elsewhere, inVolume('case15/parent'));
  for (const key of ['case15/parent/theirs.png', 'case15/parent/deep/theirs.png']) {
    await expect(put(key, 'x')).rejects.toMatchObject({ code: 'OUTSIDE' });
    await expect(put(key, 'x', true)).rejects.toMatchObject({ code: 'OUTSIDE' });
    await expect(v.driver.get(key)).rejects.toMatchObject({ code: 'OUTSIDE' });
    await expect(v.driver.stat(key)).rejects.toMatchObject({ code: 'OUTSIDE' });
    await expect(v.driver.delete(key)).rejects.toMatchObject({ code: 'OUTSIDE' });
  }
  await expect(put('case15/parent/new/folder/x.png', 'x')).rejects.toMatchObject({ code: 'OUTSIDE' });
  await symlink(path.join(v.outside, 'nowhere'), inVolume('case15/dangling'));
  await expect(put('case15/dangling/x.png', 'x')).rejects.toMatchObject({ code: 'OUTSIDE' });
  expect((await v.driver.list('case15/')).objects).toEqual([]);
  expect(await filesBelow(elsewhere)).toEqual(['deep/theirs.png', 'theirs.png']);
  expect(await readdir(elsewhere)).toEqual(['deep', 'theirs.png']);
  expect(await readdir(v.outside)).not.toContain('nowhere');
});

test('what is refused or missing leaves no file open, whether it is read, measured or read in part', async () => {
  const elsewhere = path.join(v.outside, 'open');
  await mkdir(elsewhere);
  await writeFile(path.join(elsewhere, 'a.png'), 'outside');
  await symlink(elsewhere, inVolume('leads-out'));
  await mkdir(inVolume('open/folder.png'), { recursive: true });
  await put('open/a.png', 'inside');
  const ways: ((key: string) => Promise<unknown>)[] = [
    (key) => v.driver.get(key),
    (key) => v.driver.get(key, { bytes: 7 }),
    (key) => v.driver.get(key, { range: { start: 1, end: 2 } }),
    (key) => v.driver.stat(key),
  ];
  const openFiles = async () => {
    const links = await readdir('/proc/self/fd');
    const targets = await Promise.all(links.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    return targets.filter((target) => target.startsWith(path.dirname(v.root)) || target.startsWith(v.outside));
  };
  for (const way of ways)
    for (const key of ['leads-out/a.png', 'open/folder.png']) await expect(way(key)).rejects.toThrow();
  expect(await v.driver.get('open/none.png')).toBeUndefined();
  const signal = AbortSignal.abort(new Error('gone'));
  for (const bytes of [undefined, 6, 7])
    await expect(v.driver.get('open/a.png', { bytes, signal })).rejects.toThrow('gone');
  // At once: garbage collection would close them late, and warn.
  expect(await openFiles()).toEqual([]);
});

test('case 15: a symlink to a folder whose name begins like the volume’s leads nowhere either', async () => {
  const twin = `${v.root}2`;
  await mkdir(twin);
  await writeFile(path.join(twin, 'a.png'), 'theirs');
  await symlink(twin, inVolume('twin'));
  await expect(v.driver.get('twin/a.png')).rejects.toMatchObject({ code: 'OUTSIDE' });
  await expect(put('twin/b.png', 'x')).rejects.toMatchObject({ code: 'OUTSIDE' });
});

test('case 16: a FIFO, a socket, a device and a folder as the file are refused at once', async () => {
  await mkdir(inVolume('case16/folder'), { recursive: true });
  execFileSync('mkfifo', [inVolume('case16/fifo')]);
  const socket = createServer().listen(inVolume('case16/socket'));
  await new Promise((resolve) => socket.once('listening', resolve));
  const names = ['fifo', 'socket', 'folder'];
  try {
    execFileSync('mknod', [inVolume('case16/device'), 'c', '1', '5'], { stdio: 'ignore' });
    names.push('device');
  } catch {
    process.stdout.write('no device node is tested: this process may not make one\n');
  }
  try {
    for (const name of names) {
      // EACCES: a mount without devices refuses to open one.
      const code = expect.stringMatching(/^(NOT_A_FILE|EACCES)$/);
      await expect(v.driver.get(`case16/${name}`)).rejects.toMatchObject({ code });
      await expect(v.driver.stat(`case16/${name}`)).rejects.toMatchObject({ code });
      if (name !== 'folder') await expect(put(`case16/${name}`, 'x')).rejects.toMatchObject({ code: 'EXISTS' });
    }
    expect((await v.driver.list('case16/')).objects).toEqual([]);
  } finally {
    await new Promise((resolve) => socket.close(resolve));
  }
});

test('case 16: a hard link is replaced and deleted by name; what shares its bytes elsewhere is untouched', async () => {
  const other = path.join(v.outside, 'hard.txt');
  await writeFile(other, 'theirs');
  await mkdir(inVolume('case16b'));
  await link(other, inVolume('case16b/a.json'));
  await expect(put('case16b/a.json', 'x')).rejects.toMatchObject({ code: 'EXISTS' });
  await put('case16b/a.json', 'mine', true);
  expect(await text(other)).toBe('theirs');
  await v.driver.delete('case16b/a.json');
  expect(await text(other)).toBe('theirs');
});

test('a key below a file is refused as a key and creates nothing', async () => {
  await put('file/a.png', 'x');
  await expect(put('file/a.png/b.png', 'x')).rejects.toMatchObject({ code: 'NOT_A_FILE' });
  expect(await v.driver.get('file/a.png/b.png')).toBeUndefined();
});

test('an object becomes visible whole, after its last byte; until then get, stat and list do not find it', async () => {
  const key = 'visible/a.bin';
  const body = randomBytes(3_000_000);
  const look = async () => [
    await v.driver.get(key),
    await v.driver.stat(key),
    (await v.driver.list('visible/')).objects.length,
    (await v.driver.list('')).objects.filter((object) => object.key.includes('visible')).length,
  ];
  const during: unknown[][] = [];
  await v.driver.put(
    key,
    (async function* () {
      for await (const chunk of chunked(body)) {
        yield chunk;
        if (during.length < 3) during.push(await look());
      }
      during.push(await look());
      expect((await readdir(inVolume('visible'))).every((name) => name.startsWith('.'))).toBe(true);
    })(),
    { contentType: 'image/png' },
  );
  // At once, and by another reader than the driver.
  expect((await readFile(inVolume(key))).equals(body)).toBe(true);
  for (const seen of during) expect(seen).toEqual([undefined, undefined, 0, 0]);
});

test('temporary files and the sentinel are never listed, and deleting a key removes the leftovers of a killed write', async () => {
  await mkdir(inVolume('left'), { recursive: true });
  let names: string[] = [];
  const kill = new Error('killed');
  const write = (overwrite: boolean) =>
    v.driver.put(
      'left/a.json',
      (async function* () {
        yield* openedBy;
        names.push(...(await filesBelow(inVolume('left'))));
        throw kill;
      })(),
      { contentType: 'image/png', overwrite },
    );
  await expect(write(false)).rejects.toBe(kill);
  await expect(write(true)).rejects.toBe(kill);
  expect(names).toHaveLength(2);
  expect(await filesBelow(inVolume('left'))).toEqual([]);
  for (const name of names) {
    await mkdir(path.dirname(inVolume(`left/${name}`)), { recursive: true });
    await writeFile(inVolume(`left/${name}`), 'part');
  }
  expect((await v.driver.list('left')).objects).toEqual([]);
  expect((await v.driver.list('')).objects.filter((object) => object.key.startsWith('.'))).toEqual([]);
  await v.driver.delete('left/a.json');
  expect(await filesBelow(inVolume('left'))).toEqual([]);
  names = [];
});

test('an overwrite works although a killed one has left its file, and removes that file after an hour', async () => {
  let left = '';
  await expect(
    v.driver.put(
      'again/metadata.json',
      (async function* () {
        yield* openedBy;
        left = (await filesBelow(inVolume('again')))[0] ?? '';
        throw new Error('killed');
      })(),
      { contentType: 'application/json', overwrite: true },
    ),
  ).rejects.toThrow('killed');
  await mkdir(path.dirname(inVolume(`again/${left}`)), { recursive: true });
  await writeFile(inVolume(`again/${left}`), 'part');
  await put('again/metadata.json', 'one', true);
  expect(await filesBelow(inVolume('again'))).toEqual([left, 'metadata.json']);
  await utimes(inVolume(`again/${left}`), new Date(0), new Date(0));
  await put('again/metadata.json', 'two', true);
  expect(await filesBelow(inVolume('again'))).toEqual(['metadata.json']);
});

test('an upload whose temporary file a sweep has removed fails, and leaves nothing', async () => {
  const put = v.driver.put(
    'swept/a.png',
    (async function* () {
      yield* openedBy;
      await v.driver.delete('swept/a.png');
      yield Buffer.from('b');
    })(),
    { contentType: 'image/png' },
  );
  await expect(put).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await filesBelow(inVolume('swept'))).toEqual([]);
});

test('case 100: a volume that goes away while a small body arrives takes nothing of it where it was', async () => {
  await put('slow/known.png', 'x');
  const away = `${v.root}.slow`;
  const body = (async function* () {
    yield Buffer.from('a');
    await rename(v.root, away);
    await mkdir(v.root);
    await sleep(50);
    yield Buffer.from('b');
  })();
  await expect(v.driver.put('slow/a.png', body, { contentType: 'image/png' })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  });
  expect(await readdir(v.root)).toEqual([]);
  await rmdir(v.root);
  await rename(away, v.root);
  expect(await filesBelow(inVolume('slow'))).toEqual(['known.png']);
});

test('case 100: an unmounted volume is an error for every operation, and never an empty list', async () => {
  await put('mounted/a.png', 'x');
  await rename(v.root, `${v.root}.away`);
  await mkdir(v.root);
  const unavailable = { code: 'UNAVAILABLE' };
  await expect(put('mounted/b.png', 'x')).rejects.toMatchObject(unavailable);
  await expect(v.driver.get('mounted/a.png')).rejects.toMatchObject(unavailable);
  await expect(v.driver.stat('mounted/a.png')).rejects.toMatchObject(unavailable);
  await expect(v.driver.delete('mounted/a.png')).rejects.toMatchObject(unavailable);
  await expect(v.driver.list('')).rejects.toMatchObject(unavailable);
  await expect(v.driver.healthy()).rejects.toMatchObject(unavailable);
  expect(await readdir(v.root)).toEqual([]);
  await rm(v.root, { recursive: true });
  await rename(`${v.root}.away`, v.root);
  await v.driver.healthy();
  expect((await v.driver.list('mounted/')).objects).toHaveLength(1);
});

test('a second process on the same volume finds the same objects', async () => {
  await put('shared/a.png', 'shared');
  const second = await v.reopen();
  const found = await second.get('shared/a.png');
  expect(found && String(await readAll(found.stream))).toBe('shared');
});

test.each([
  [undefined, 0o644 & ~process.umask()],
  [0o640, 0o640],
  [0o600, 0o600],
  [0o666, 0o666],
])(
  'with the mode %s a new file has exactly the mode %s, whatever the umask, however it is written',
  async (fileMode, wanted) => {
    const volume = await createLocalVolume(fileMode === undefined ? {} : { fileMode });
    for (const [key, size, overwrite] of [
      ['a/small.png', 10, false],
      ['a/large.png', 9_000_000, false],
      ['a/small.png', 20, true],
    ] as const) {
      await volume.driver.put(key, chunked(randomBytes(size)), { size, contentType: 'image/png', overwrite });
      expect((await stat(path.join(volume.root, key))).mode & 0o777).toBe(wanted);
    }
    await volume.close();
  },
);

test('an object of up to 256 KiB is read at once, a larger one as a stream', async () => {
  const limit = 256 * 1024;
  for (const bytes of [limit, limit + 1]) {
    const key = `outputs/u/read-${bytes}.bin`;
    await v.driver.put(key, chunked(Buffer.alloc(bytes, 7)), { contentType: 'image/png' });
    const found = await v.driver.get(key);
    expect([bytes, found?.data?.length]).toEqual([bytes, bytes > limit ? undefined : bytes]);
    found?.stream.destroy();
  }
});
