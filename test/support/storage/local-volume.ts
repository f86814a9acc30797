import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Driver } from '../../../src/storage/driver.ts';
import { type LocalOptions, createLocalDriver } from '../../../src/storage/local/local-driver.ts';
import { createDriverContext } from './driver-context.ts';

export interface LocalVolume {
  driver: Driver;
  root: string;
  /** A folder outside of the volume. */
  outside: string;
  /** Another driver on the same volume, as in a second process. */
  reopen(): Promise<Driver>;
  close(): Promise<void>;
}

export async function createLocalVolume(options: Partial<LocalOptions> = {}): Promise<LocalVolume> {
  const base = await mkdtemp(path.join(tmpdir(), 'mediakeep-volume-'));
  const shared = createDriverContext('local');
  const root = path.join(base, 'volume');
  const reopen = () => createLocalDriver({ root, mountAliases: [], ...options }, shared);
  return {
    driver: await reopen(),
    root,
    outside: base,
    reopen,
    close: () => rm(base, { recursive: true, force: true }),
  };
}

/** Paths of everything but folders below `folder`, including hidden files, except the sentinel. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory() && entry.name !== '.mediakeep-volume')
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .toSorted();
}
