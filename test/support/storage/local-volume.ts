import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Driver } from '../../../src/storage/driver.ts';
import type { Files } from '../../../src/storage/local/files.ts';
import { type LocalOptions, createLocalDriver } from '../../../src/storage/local/local-driver.ts';
import { createDriverContext } from './driver-context.ts';

export interface LocalVolume {
  driver: Driver;
  root: string;
  /** A folder outside of the volume. */
  outside: string;
  /** Another driver on the same volume, as in a second process. */
  reopen(files?: Files): Promise<Driver>;
  /** What drivers have logged. */
  log: string[];
  close(): Promise<void>;
}

export interface LocalVolumeOptions extends Partial<LocalOptions> {
  files?: Files;
  /** Folder in which the volume is made; default: that of temporary files. */
  inside?: string;
}

export async function createLocalVolume({
  files,
  inside = tmpdir(),
  ...options
}: LocalVolumeOptions = {}): Promise<LocalVolume> {
  const base = await mkdtemp(path.join(inside, 'mediakeep-volume-'));
  const log: string[] = [];
  const shared = { ...createDriverContext('local'), log: (_level: string, message: string) => void log.push(message) };
  const root = path.join(base, 'volume');
  const reopen = (other = files) => createLocalDriver({ root, mountAliases: [], ...options }, shared, other);
  return {
    driver: await reopen(),
    log,
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
