import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../../errors.ts';
import type { ListPage } from '../driver.ts';

const PAGE = 1000;

/**
 * Keys below `root` that start with `prefix`, in code-unit order of their paths, 1,000 per page; `cursor` is the last key of the
 * page before. Hidden files (temporary ones, the sentinel), symbolic links and anything but regular files are left out.
 */
export async function listBelow(root: string, prefix: string, cursor?: string): Promise<ListPage> {
  const objects: ListPage['objects'] = [];
  for await (const key of walk(root, '', prefix, cursor ?? '')) {
    if (objects.length === PAGE) return { objects, cursor: objects.at(-1)?.key };
    const found = await stat(path.join(root, key)).catch(() => undefined);
    if (found) objects.push({ key, bytes: found.size, modifiedAt: found.mtime });
  }
  return { objects, cursor: undefined };
}

async function* walk(root: string, folder: string, prefix: string, after: string): AsyncGenerator<string> {
  const entries = await readdir(path.join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
    // Removed since its parent was read.
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  // A folder sorts as if its name ended in a slash, as its keys do.
  const named = entries
    .filter((entry) => !entry.name.startsWith('.') && (entry.isFile() || entry.isDirectory()))
    .map((entry) => ({ path: folder + entry.name + (entry.isDirectory() ? '/' : ''), folder: entry.isDirectory() }));
  named.sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const entry of named) {
    if (entry.folder) {
      const mayHold = entry.path.startsWith(prefix) || prefix.startsWith(entry.path);
      if (mayHold && (after < entry.path || after.startsWith(entry.path))) yield* walk(root, entry.path, prefix, after);
    } else if (entry.path.startsWith(prefix) && entry.path > after) {
      yield entry.path;
    }
  }
}
