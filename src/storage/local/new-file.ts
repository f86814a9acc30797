import { randomUUID } from 'node:crypto';
import { link, open, rename, unlink, writeFile } from 'node:fs/promises';
import { codeOf } from '../../errors.ts';

/** Errors of `link` on file systems without hard links, often network ones. */
const NO_HARD_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Links the file `temp` to its name `final`, never replacing another. Returns whether the temporary name still exists, too.
 * @throws EEXIST when there is a file of that name; `temp` still exists then
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
 * Creates a small file that exists whole or not at all, also for concurrent readers and after a crash (without hard links it is
 * empty for a moment). An existing one stays as it is. The caller syncs the folder.
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
