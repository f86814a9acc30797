import { constants, access, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Finding, ok, warning, wrong } from './finding.ts';

const GIB = 1024 ** 3;
const LITTLE_ROOM_BYTES = GIB / 2;

/** Versions and sizes of what the service runs on. */
export function machine(): Record<string, string> {
  const [cpu] = os.cpus();
  return {
    node: process.version,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    processors: `${os.availableParallelism()} × ${cpu?.model.trim() ?? 'unknown'}`,
    memory: `${(os.totalmem() / GIB).toFixed(1)} GiB, ${(os.freemem() / GIB).toFixed(1)} GiB free`,
    user: `${process.getuid?.() ?? 'unknown'}`,
  };
}

/** Whether DATA_DIR can be written and has room. */
export async function dataFolderFinding(dataDir: string): Promise<Finding> {
  const there = await firstExisting(dataDir);
  if (!(await isWritable(there)))
    return wrong('data folder', `this user may not write to ${there}; change its owner, or set DATA_DIR`);
  const { bavail, bsize } = await statfs(there);
  const free = bavail * bsize;
  const room = `${(free / GIB).toFixed(1)} GiB free`;
  const message = there === dataDir ? `${dataDir}, ${room}` : `${dataDir} is not made yet, ${room}`;
  return free < LITTLE_ROOM_BYTES ? warning('data folder', `${message}; make room`) : ok('data folder', message);
}

async function firstExisting(folder: string): Promise<string> {
  try {
    await access(folder);
    return folder;
  } catch {
    const above = path.dirname(folder);
    return above === folder ? folder : firstExisting(above);
  }
}

function isWritable(folder: string): Promise<boolean> {
  return access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
}
