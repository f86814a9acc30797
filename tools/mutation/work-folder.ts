import { execFileSync } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const CHECKOUT = path.resolve(import.meta.dirname, '../..');

/** A copy of the checkout whose files may be changed; `node_modules` is shared with the checkout. */
export interface WorkFolder {
  path: string;
  read(file: string): Promise<string>;
  write(file: string, text: string): Promise<void>;
  remove(): Promise<void>;
}

/** The files of the checkout that are in git or could be added, relative to it. */
export function filesOfCheckout(): string[] {
  const options = { cwd: CHECKOUT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 } as const;
  const listed = execFileSync('git', ['ls-files', '-coz', '--exclude-standard', '--deduplicate'], options);
  const deleted = new Set(execFileSync('git', ['ls-files', '-dz'], options).split('\0'));
  return listed.split('\0').filter((file) => file !== '' && !deleted.has(file));
}

export async function createWorkFolder(): Promise<WorkFolder> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-mutation-'));
  const at = (file: string) => path.join(folder, file);
  // Others may enter: root's PostgreSQL runs as another user, with its folders below `tmp`.
  await chmod(folder, 0o755);
  await mkdir(at('tmp'));
  for (const file of filesOfCheckout()) {
    await mkdir(path.dirname(at(file)), { recursive: true });
    await cp(path.join(CHECKOUT, file), at(file));
  }
  await symlink(path.join(CHECKOUT, 'node_modules'), at('node_modules'));
  return {
    path: folder,
    read: (file) => readFile(at(file), 'utf8'),
    write: (file, text) => writeFile(at(file), text),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
