import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../../errors.ts';

/**
 * Makes a folder and those above it, unless they are there. mkdir's own `recursive` never returns where a parent exists and still
 * reports "not found" (as /proc does).
 */
export async function makeFolder(folder: string): Promise<void> {
  const parent = path.dirname(folder);
  if (parent !== folder && !(await isThere(parent))) await makeFolder(parent);
  try {
    await mkdir(folder);
  } catch (error) {
    // Another process may make it at the same moment.
    if (codeOf(error) !== 'EEXIST' || !(await stat(folder)).isDirectory()) throw error;
  }
}

function isThere(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}
