import { open, readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../errors.ts';

/** Whether a process of that id lives on this machine (one of another user counts). */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

const TIMEOUT_MS = 60_000;

/**
 * Runs `work` while no other process holds `file`. A lock whose owner is dead is taken over.
 * Serves processes on one machine only: the embedded PostgreSQL. Everything else is serialised by PostgreSQL.
 */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + TIMEOUT_MS;
  for (;;) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
      break;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      const owner = Number(await readFile(file, 'utf8').catch(() => ''));
      // 0: its owner has not written its id yet, or died before; the deadline decides.
      if (owner > 0 && !isAlive(owner)) await rm(file, { force: true });
      else if (Date.now() > deadline)
        throw new Error(`${file} is held by process ${owner}; if no such process runs, delete the file`, {
          cause: error,
        });
      else await sleep(50);
    }
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}
