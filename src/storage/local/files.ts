import * as fs from 'node:fs/promises';
import { codeOf } from '../../errors.ts';

const CALLS = [
  'link',
  'lstat',
  'mkdir',
  'open',
  'readFile',
  'readdir',
  'realpath',
  'rename',
  'rm',
  'rmdir',
  'stat',
  'statfs',
  'unlink',
  'writeFile',
] as const;

/** Every file system call of this driver. Tests pass one that fails as a network mount does. */
export type Files = Pick<typeof fs, (typeof CALLS)[number]>;

type Call = (...args: unknown[]) => Promise<unknown>;

/**
 * The same calls, repeated once after ESTALE: an NFS server or FUSE mount has replaced a file or folder that the system remembers,
 * and the repetition looks it up again. The failed call did nothing, so the repetition is safe.
 */
export function withFreshLookups(files: Files): Files {
  const calls = CALLS.map((name) => {
    const call = files[name] as Call;
    return [name, (...args: unknown[]) => retryStale(() => call(...args))];
  });
  return Object.fromEntries(calls) as Files;
}

export const systemFiles: Files = withFreshLookups(fs);

/** Repeats `work` once when it fails with ESTALE. */
export function retryStale<T>(work: () => Promise<T>): Promise<T> {
  return work().catch((error: unknown) => {
    if (codeOf(error) !== 'ESTALE') throw error;
    return work();
  });
}
