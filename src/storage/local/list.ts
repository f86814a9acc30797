import path from 'node:path';
import type { ListPage } from '../driver.ts';
import type { Files } from './files.ts';
import { ignoreMissing } from './paths.ts';

const PAGE = 1000;

export interface Listed {
  root: string;
  files: Files;
  /** Names are listed as NFC, as keys are written; the file system finds them all the same. */
  composed: boolean;
}

/**
 * Keys below `root` that start with `prefix`, in code-unit order of their paths, 1,000 per page; `cursor` is the last key of the
 * page before. Hidden files (temporary ones, the sentinel), symbolic links and anything but regular files are left out.
 */
export async function listBelow(volume: Listed, prefix: string, cursor?: string): Promise<ListPage> {
  const objects: ListPage['objects'] = [];
  for await (const key of walk(volume, '', prefix, cursor ?? '')) {
    if (objects.length === PAGE) return { objects, cursor: objects.at(-1)?.key };
    const found = await volume.files.stat(path.join(volume.root, key)).catch(ignoreMissing);
    if (found) objects.push({ key, bytes: found.size, modifiedAt: found.mtime });
  }
  return { objects, cursor: undefined };
}

async function* walk(volume: Listed, folder: string, prefix: string, after: string): AsyncGenerator<string> {
  // A missing one was removed since its parent was read.
  const entries =
    (await volume.files.readdir(path.join(volume.root, folder), { withFileTypes: true }).catch(ignoreMissing)) ?? [];
  // A folder sorts as if its name ended in a slash, as its keys do.
  const named = entries
    .filter((entry) => !entry.name.startsWith('.') && (entry.isFile() || entry.isDirectory()))
    .map((entry) => {
      const name = volume.composed ? entry.name.normalize('NFC') : entry.name;
      return { path: folder + name + (entry.isDirectory() ? '/' : ''), folder: entry.isDirectory() };
    });
  named.sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const entry of named) {
    if (entry.folder) {
      const mayHold = entry.path.startsWith(prefix) || prefix.startsWith(entry.path);
      if (mayHold && (after < entry.path || after.startsWith(entry.path)))
        yield* walk(volume, entry.path, prefix, after);
    } else if (entry.path.startsWith(prefix) && entry.path > after) {
      yield entry.path;
    }
  }
}
