import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Whether this process may mount; containers often may not, even as root. */
export function canMount(): boolean {
  if (process.getuid?.() !== 0 || process.platform !== 'linux') return false;
  const probe = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
  try {
    mountTmpfs(probe, '64k');
    unmount(probe);
    return true;
  } catch {
    return false;
  } finally {
    execFileSync('rmdir', [probe], { stdio: 'ignore' });
  }
}

function mountTmpfs(folder: string, size: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], { stdio: 'ignore' });
}

export function remount(folder: string, mode: 'ro' | 'rw'): void {
  execFileSync('mount', ['-o', `remount,${mode}`, folder], { stdio: 'ignore' });
}

/** Lazily, so that an open file does not prevent it. */
function unmount(folder: string): void {
  execFileSync('umount', ['-l', folder], { stdio: 'ignore' });
}

export interface SmallVolume {
  folder: string;
  close(): Promise<void>;
}

/** A separate file system of the given size. */
export async function smallVolume(size: string): Promise<SmallVolume> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-mount-'));
  mountTmpfs(folder, size);
  return {
    folder,
    async close() {
      unmount(folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
