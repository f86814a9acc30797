import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../../errors.ts';

export interface ImportFile {
  /** Absolute. */
  absolute: string;
  /** Path below the imported folder, with `/`; for a volume with `outputs/{userId}/`, from `outputs/` on. A later import recognises the file by it. */
  relative: string;
  userId: string;
  /** The folders between the user's folder and the file. */
  subfolder: string | undefined;
}

/**
 * Lists the files of a folder in a stable order. Without a user, the folder must be laid out as `outputs/{userId}/…`.
 * Hidden files and symbolic links are left out.
 * @throws AppError invalid_request when no user is given and the folder has another layout
 */
export async function findImportFiles(root: string, userId: string | undefined): Promise<ImportFile[]> {
  const relatives = (await walk(root, '')).toSorted();
  const prefix = path.basename(root) === 'outputs' ? '' : 'outputs/';
  const laidOut = relatives.some(
    (relative) => relative.startsWith(prefix) && relative.slice(prefix.length).includes('/'),
  );
  if (
    userId === undefined &&
    !(laidOut && (prefix === '' || relatives.some((relative) => relative.startsWith(prefix))))
  ) {
    throw new AppError(
      'invalid_request',
      `${root} is not laid out as outputs/{userId}/…; say whose the files are: --user ID.`,
    );
  }
  return relatives.flatMap((relative) => {
    const below = userId === undefined ? afterPrefix(relative, prefix) : relative;
    const segments = below?.split('/') ?? [];
    const owner = userId ?? (segments.length > 1 ? segments.shift() : undefined);
    if (owner === undefined) return [];
    const folders = segments.slice(0, -1).slice(0, 8);
    return [
      {
        absolute: path.join(root, relative),
        relative: userId === undefined ? `outputs/${below}` : relative,
        userId: owner,
        subfolder: folders.length > 0 ? folders.join('/') : undefined,
      },
    ];
  });
}

function afterPrefix(relative: string, prefix: string): string | undefined {
  return relative.startsWith(prefix) ? relative.slice(prefix.length) : undefined;
}

async function walk(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(path.join(root, folder), { withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const relative = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await walk(root, relative)));
    else if (entry.isFile()) found.push(relative);
  }
  return found;
}
