import { open, readFile, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../errors.ts';

/** Whether a process with this id runs on this machine, of any user. */
export function isProcessAlive(pid: number): boolean {
  // These would be groups of processes, or this one's.
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

const TIMEOUT_MS = 60_000;
/** An owner writes its id at once. A lock that stays empty for this long belongs to a process that died in between. */
const NAMELESS_MS = 5000;
/** Locks that this process holds. A restarted container may give a process the id of the killed one; only this tells them apart. */
const held = new Map<string, symbol>();

/**
 * Runs `work` while this process holds the lock `file`. A lock whose owner is dead is taken over. It works between
 * processes on one machine, which the embedded PostgreSQL needs; all other locks are PostgreSQL's.
 * @throws an Error after 60 s, when another process still holds the lock
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
    // Another call in this process may hold it already.
    if (held.get(file) === mine) held.delete(file);
  }
}

/** The process id in the lock file; 0 when the file is empty or gone. */
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
 * Removes a lock whose owner is dead. Returns false while another process does that. Processes take turns and check the
 * owner again: several that start together see the same dead owner, and the second would remove the new lock of the first.
 */
async function removeAbandoned(file: string): Promise<boolean> {
  const claim = `${file}.takeover`;
  try {
    await (await open(claim, 'wx')).close();
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    // Its process died before it removed the claim.
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
