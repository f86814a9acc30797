import { open, readFile, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../errors.ts';

/** Whether a process of that id lives on this machine (one of another user counts). */
export function isProcessAlive(pid: number): boolean {
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
const held = new Map<string, symbol>();

/**
 * Runs `work` while no other process holds `file`. A lock whose owner is dead is taken over.
 * Serves processes on one machine only: the embedded PostgreSQL. Everything else is serialised by PostgreSQL.
 */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + TIMEOUT_MS;
  const mine = Symbol(file);
  for (;;) {
    try {
      const handle = await open(file, 'wx');
      held.set(file, mine);
      await handle.writeFile(String(process.pid));
      await handle.close();
      break;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      if ((await isAbandoned(file)) && (await removeAbandoned(file))) continue;
      if (Date.now() > deadline)
        throw new Error(`${file} is held by process ${await ownerOf(file)}; if no such process runs, delete the file`, {
          cause: error,
        });
      await sleep(50);
    }
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
    // The next one of this process may have it already.
    if (held.get(file) === mine) held.delete(file);
  }
}

/** 0 while the lock is still empty, or not there any more. */
async function ownerOf(file: string): Promise<number> {
  return Number(await readFile(file, 'utf8').catch(() => ''));
}

async function isAbandoned(file: string): Promise<boolean> {
  const owner = await ownerOf(file);
  if (owner === process.pid) return !held.has(file);
  if (owner > 0) return !isProcessAlive(owner);
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > NAMELESS_MS;
}

/**
 * Removes a lock whose owner is dead; false while another process is about to. One at a time, and after another look: several see the same
 * dead owner when they start together, and a second one would remove the lock that the first has taken since.
 */
async function removeAbandoned(file: string): Promise<boolean> {
  const claim = `${file}.takeover`;
  try {
    await (await open(claim, 'wx')).close();
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    // Of one that died in between.
    if (await isAbandoned(claim)) await rm(claim, { force: true });
    return false;
  }
  try {
    if (await isAbandoned(file)) await rm(file, { force: true });
    return true;
  } finally {
    await rm(claim, { force: true });
  }
}
