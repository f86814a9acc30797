import path from 'node:path';
import type { Files } from './files.ts';
import type { FileSystem } from './traits.ts';
import { ignoreMissing } from './paths.ts';

/** How the names of a path are spelled on the volume. */
export type Spelling = 'same' | 'missing' | 'different';

const MAX_REMEMBERED = 10_000;

/**
 * For volumes that take `Ann` and `ann`, or two encodings of `é`, for one name. There, a file is an object only under the spelling
 * that its names have on the volume; otherwise one object would have several keys, and an access check on a key would say nothing
 * about the file. Folders are read, because nothing else tells how a name is spelled.
 */
export function createSpelling(root: string, files: Files, system: FileSystem): (file: string) => Promise<Spelling> {
  const same = new Set<string>();
  return async (file) => {
    const { ignoresCase, ignoresForm } = system.known();
    if (!ignoresCase && !ignoresForm) return 'same';
    let at = root;
    for (const name of path.relative(root, file).split(path.sep)) {
      const parent = at;
      at = path.join(parent, name);
      if (same.has(at)) continue;
      const names = (await files.readdir(parent).catch(ignoreMissing)) ?? [];
      if (!names.some((found) => (ignoresForm ? found.normalize('NFC') : found) === name))
        return (await files.lstat(at).catch(ignoreMissing)) ? 'different' : 'missing';
      if (same.size >= MAX_REMEMBERED) same.clear();
      if (at !== file) same.add(at);
    }
    return 'same';
  };
}
