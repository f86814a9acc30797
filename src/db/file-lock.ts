import { open, readFile, rm, stat } from 'node:fs/promises';
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
/** Its owner writes its id at once; a lock that is still empty after this long belongs to one that died in between. */
const NAMELESS_MS = 5000;
/** In a container that is started again, the process has the id that the killed one had: only this tells them apart. */
const held = new Set<string>();

/**
 * Runs `work` while no other process holds `file`. A lock whose owner is dead is taken over.
 * Serves processes on one machine only: the embedded PostgreSQL. Everything else is serialised by PostgreSQL.
 */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + TIMEOUT_MS;
  for (;;) {
    try {
      const handle = await open(file, 'wx');
      held.add(file);
      await handle.writeFile(String(process.pid));
      await handle.close();
      break;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      const owner = Number(await readFile(file, 'utf8').catch(() => ''));
      if (await isAbandoned(file, owner)) await rm(file, { force: true });
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
    held.delete(file);
    await rm(file, { force: true });
  }
}

async function isAbandoned(file: string, owner: number): Promise<boolean> {
  if (owner === process.pid) return !held.has(file);
  if (owner > 0) return !isAlive(owner);
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > NAMELESS_MS;
}
