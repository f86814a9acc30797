import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface DataFolder {
  path: string;
  /** Removes it, and the data that an embedded PostgreSQL keeps elsewhere for it. */
  remove(): Promise<void>;
}

/**
 * A temporary folder for a DATA_DIR. Others may enter it: with mkdtemp's own mode root's PostgreSQL, which runs as another user,
 * would use /var/lib, where leftovers of tests would stay.
 */
export async function createDataFolder(name: string, mode = 0o755): Promise<DataFolder> {
  const folder = await mkdtemp(path.join(tmpdir(), `mediakeep-${name}-`));
  await chmod(folder, mode);
  return { path: folder, remove: () => removeDataFolder(folder, folder) };
}

/** Removes `folder` and everything of the data folder `dataDir`, which may be nested in it. */
export async function removeDataFolder(folder: string, dataDir: string): Promise<void> {
  const note = await readFile(path.join(dataDir, 'POSTGRES-IS-ELSEWHERE.txt'), 'utf8').catch(() => '');
  const elsewhere = /keeps its files in (\/var\/lib\/mediakeep\/[0-9a-f]{16})\n/.exec(note)?.[1];
  if (elsewhere !== undefined) await rm(elsewhere, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
}
