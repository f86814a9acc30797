import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { codeOf } from '../../errors.ts';
import { StorageError } from '../driver.ts';
import type { Files } from './files.ts';
import { ignoreMissing } from './paths.ts';
import { PROBE, type Traits } from './traits.ts';

/**
 * Tries in `root` what a put relies on, and removes what it made.
 * @throws StorageError MISCONFIGURED when the file system cannot keep objects from being replaced or half-written, otherwise the
 * file system's error: it cannot be written at the moment
 */
export async function probeTraits(root: string, files: Files): Promise<Traits> {
  const base = path.join(root, PROBE + randomUUID());
  const [first, second, folder, accented] = [base, `${base}.2`, `${base}.d`, `${base}.\u00e9`] as const;
  const inFolder = path.join(folder, 'file');
  try {
    await files.writeFile(first, 'first', { flag: 'wx', flush: true });
    await requireExclusive(first, files);
    const noLinks = await triedLink(first, second, files);
    if (noLinks === undefined) await files.unlink(second);
    await requireRename(first, second, 'first', files);
    await files.mkdir(folder);
    await files.writeFile(inFolder, 'replaced', { flag: 'wx', flush: true });
    await requireRename(inFolder, second, 'replaced', files);
    const noFolderSync = await triedSync(root, files);
    const ignoresCase = await findsOtherCase(second, files);
    return { noLinks, noFolderSync, ignoresCase, ignoresForm: await findsOtherForm(accented, files) };
  } finally {
    for (const file of [first, second, inFolder, accented]) await files.unlink(file).catch(() => {});
    await files.rmdir(folder).catch(() => {});
  }
}

async function requireExclusive(file: string, files: Files): Promise<void> {
  try {
    await files.writeFile(file, 'second', { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    throw error;
  }
  throw unusable('creates a file that exists already (O_EXCL has no effect)');
}

/** The code with which links fail; undefined: one was made, and a second one did not replace it. */
async function triedLink(temp: string, final: string, files: Files): Promise<string | undefined> {
  try {
    await files.link(temp, final);
    await files.lstat(final);
  } catch (error) {
    return codeOf(error) ?? 'unknown';
  }
  try {
    await files.link(temp, final);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return undefined;
  }
  await files.unlink(final);
  return 'a link replaced a file';
}

async function requireRename(from: string, to: string, text: string, files: Files): Promise<void> {
  try {
    await files.rename(from, to);
  } catch (error) {
    throw unusable(`cannot rename a file (${codeOf(error) ?? 'unknown'})`, error);
  }
  const found = await files.readFile(to, 'utf8');
  const left = await files.lstat(from).catch(ignoreMissing);
  if (found !== text || left) throw unusable('does not rename as asked: the old name or the old bytes are still there');
}

function unusable(problem: string, cause?: unknown): StorageError {
  return new StorageError('MISCONFIGURED', `its file system ${problem}`, { cause });
}

async function triedSync(folder: string, files: Files): Promise<string | undefined> {
  try {
    const handle = await files.open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    return undefined;
  } catch (error) {
    return codeOf(error) ?? 'unknown';
  }
}

/** Whether an existing file is also found by its name in capital letters. */
export async function findsOtherCase(file: string, files: Files): Promise<boolean> {
  const upper = path.join(path.dirname(file), path.basename(file).toUpperCase());
  return (await files.lstat(upper).catch(ignoreMissing)) !== undefined;
}

/** As macOS does: some of its file systems return the decomposed name, some the one that was written, and all find both. */
async function findsOtherForm(accented: string, files: Files): Promise<boolean> {
  try {
    await files.writeFile(accented, '', { flag: 'wx' });
    return (await files.lstat(accented.normalize('NFD')).catch(ignoreMissing)) !== undefined;
  } catch {
    // A file system without that letter: keys with one fail when they come.
    return false;
  }
}
