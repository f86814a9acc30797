import { randomUUID } from 'node:crypto';
import { link, open, rename, unlink, writeFile } from 'node:fs/promises';
import { codeOf } from '../../errors.ts';

/** What `link` answers where the file system, often one on a network, has no hard links. */
const NO_HARD_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Gives the file `temp` its name `final`, never in place of another. Answers whether the temporary name is still there, too.
 * @throws EEXIST when there is a file of that name; `temp` is still there then
 */
export async function linkAsNew(temp: string, final: string): Promise<boolean> {
  try {
    await link(temp, final);
    return true;
  } catch (error) {
    if (!NO_HARD_LINKS.has(codeOf(error) ?? '')) throw error;
    // Reserve the name, then replace the empty file by the whole one.
    await (await open(final, 'wx')).close();
    await rename(temp, final).catch(async (cause: unknown) => {
      await unlink(final);
      throw cause;
    });
    return false;
  }
}

/**
 * Makes a small file that is there whole or not at all, also for processes that look while it is made, and after a crash (where there are
 * no hard links it is empty for a moment). When there is one already it stays as it is. The folder is the caller's to sync.
 */
export async function createNewFile(file: string, text: string, mode = 0o666): Promise<void> {
  const temp = `${file}.${randomUUID()}.part`;
  await writeFile(temp, text, { flag: 'wx', mode, flush: true });
  let beside = true;
  try {
    beside = await linkAsNew(temp, file);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    if (beside) await unlink(temp);
  }
}
