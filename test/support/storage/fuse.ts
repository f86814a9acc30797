import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hasProgram } from '../has-program.ts';
import { until } from '../until.ts';

/** Why no FUSE file system can be mounted with `program`; undefined: it can. */
export function whyNoFuse(program: 'rclone' | 'fusepy'): string | undefined {
  if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse';
  if (!hasProgram('fusermount3', '--version')) return 'fuse3 is not installed';
  if (program === 'rclone' && !hasProgram('rclone', '--version')) return 'rclone is not installed';
  if (program === 'fusepy' && !hasFusepy()) return 'python3-fusepy is not installed';
  return undefined;
}

function hasFusepy(): boolean {
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import fusepy'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export interface FuseMount {
  folder: string;
  /** What the mount stands for. */
  behind: string;
  /** Ends the process behind the mount: every call fails with ENOTCONN. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

export function mountRclone(cache: 'off' | 'writes'): Promise<FuseMount> {
  return mount((behind, folder, base) => {
    const options = ['--vfs-cache-mode', cache, '--cache-dir', path.join(base, 'cache'), '--vfs-write-back', '0s'];
    return spawn('rclone', ['mount', behind, folder, ...options], { stdio: 'ignore' });
  });
}

/** Passes everything on but hard links; `ignoreCase` also finds names in another case. */
export function mountPlain(options: { links: string; ignoreCase?: boolean }): Promise<FuseMount> {
  const script = new URL('plain-fuse.py', import.meta.url).pathname;
  return mount((behind, folder) =>
    spawn('/usr/bin/python3', [script, behind, folder, options.links, String(options.ignoreCase === true)], {
      stdio: 'ignore',
    }),
  );
}

async function mount(start: (behind: string, folder: string, base: string) => ChildProcess): Promise<FuseMount> {
  const base = await mkdtemp(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'mediakeep-fuse-'));
  const [behind, folder] = [path.join(base, 'behind'), path.join(base, 'mount')];
  await mkdir(behind);
  await mkdir(folder);
  const { dev } = await stat(base);
  const server = start(behind, folder, base);
  const ended = new Promise<void>((resolve) => void server.once('exit', () => resolve()));
  const unmount = () => execFileSync('fusermount3', ['-uz', folder], { stdio: 'ignore' });
  const kill = async () => {
    server.kill('SIGKILL');
    await ended;
  };
  try {
    await until(async () => (await stat(folder)).dev !== dev);
  } catch (error) {
    await kill();
    throw error;
  }
  return {
    folder,
    behind,
    kill,
    async close() {
      unmount();
      await kill();
      await rm(base, { recursive: true, force: true });
    },
  };
}
