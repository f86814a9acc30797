import { createHash } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** The data folder of whoever runs `npm start` in this checkout. */
const FOLDER = path.resolve(import.meta.dirname, '../../.data');

/**
 * A hash of the names, sizes and times of everything in the checkout's data folder: tests must not touch it. Undefined while a
 * service uses it.
 */
export function hashCheckoutData(): string | undefined {
  if (isInUse()) return undefined;
  const hash = createHash('sha256');
  for (const name of entries(FOLDER).toSorted()) {
    const { size, mtimeMs, mode } = lstatSync(path.join(FOLDER, name));
    hash.update(`${name}\0${size}\0${mtimeMs}\0${mode}\n`);
  }
  return hash.digest('hex');
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true }).map(String);
  } catch {
    return [];
  }
}

/** Whether a process that uses its embedded PostgreSQL is alive. */
function isInUse(): boolean {
  return entries(path.join(FOLDER, 'postgres/users')).some((ticket) => {
    try {
      return process.kill(Number.parseInt(ticket, 10), 0);
    } catch {
      return false;
    }
  });
}
