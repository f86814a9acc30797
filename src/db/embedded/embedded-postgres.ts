import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, chmod, chown, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type PostgresHome, type PostgresUser, postgresHome } from './home.ts';
import { isProcessAlive, withFileLock } from './file-lock.ts';
import { freePort } from './free-port.ts';
import { codeOf } from '../../errors.ts';
import { stopBeforeSignal } from './stop-before-signal.ts';

export interface EmbeddedPostgresOptions {
  /** The service's data folder. It holds the cluster, unless PostgreSQL's user cannot reach it. */
  dataDir: string;
  /** False trades crash safety for speed, for tests. */
  durable?: boolean;
  log?: (message: string) => void;
}

export interface EmbeddedPostgres {
  connectionString: string;
  /** Releases the cluster, and stops it when no other live process uses it. */
  stop(): Promise<void>;
}

const USER = 'mediakeep';
const START_TIMEOUT_MS = 30_000;

/**
 * Starts the PostgreSQL that npm installed, or joins the one that already runs on the same data folder: another replica
 * or a CLI command started it, or a killed process left it running.
 * @throws an Error that names the log's folder when PostgreSQL does not start within 30 s
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => {});
  const home = await postgresHome(options.dataDir, log);
  const users = path.join(home.base, 'users');
  const ticket = path.join(users, `${process.pid}-${randomBytes(4).toString('hex')}`);
  await mkdir(users, { recursive: true });
  const lock = path.join(home.base, 'start.lock');
  const release = () =>
    withFileLock(lock, async () => {
      await rm(ticket, { force: true });
      for (const name of await readdir(users)) {
        if (isProcessAlive(Number.parseInt(name, 10))) return;
        await rm(path.join(users, name), { force: true });
      }
      await shutDown(home.cluster);
    });
  const starting = withFileLock(lock, async () => {
    await writeFile(ticket, '');
    const password = await passwordOf(home);
    const running = await runningServer(home.cluster);
    const joined = running && (await firstThatAnswers(addresses(home, running.port, password)));
    if (joined !== undefined) return joined;
    if (!(await exists(path.join(home.cluster, 'PG_VERSION')))) {
      log(`making an embedded PostgreSQL in ${home.cluster}; this takes some seconds`);
      await initialise(home, password, options.durable ?? true);
    }
    const killed = await notedServer(home.cluster);
    const port = await portFor(killed);
    const server = { port, password, durable: options.durable ?? true };
    const socket = socketFolder(home, port);
    const launched = () => launchAfter(killed, home, { ...server, socket });
    // Some file systems cannot hold a socket.
    return socket === undefined ? launched() : launched().catch(() => launch(home, { ...server, socket: undefined }));
  });
  // The server is a process of its own: it would outlive one that a signal ends.
  const forget = stopBeforeSignal(() => starting.then(release, () => {}));
  try {
    return {
      connectionString: await starting,
      stop: () => release().finally(forget),
    };
  } catch (error) {
    forget();
    throw error;
  }
}

/** Longer paths cannot name a socket on every system. */
const MAX_SOCKET_PATH = 100;

/** Other characters would need quotes in the setting, which is a list. */
const PLAIN_PATH = /^[\w./@+-]+$/;

/** Folder of the server's socket, which makes a statement a third cheaper than TCP. Undefined where a socket is impossible. */
function socketFolder({ base }: PostgresHome, port: number): string | undefined {
  const tooLong = Buffer.byteLength(path.join(base, `.s.PGSQL.${port}`)) > MAX_SOCKET_PATH;
  return process.platform === 'win32' || tooLong || !PLAIN_PATH.test(base) ? undefined : base;
}

/** Connection strings of the server, the faster first. A server that an older version started has no socket. */
function addresses(home: PostgresHome, port: number, password: string): string[] {
  const folder = socketFolder(home, port);
  const tcp = tcpAddress(port, password);
  return folder === undefined ? [tcp] : [socketAddress(folder, port, password), tcp];
}

function tcpAddress(port: number, password: string): string {
  return `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`;
}

function socketAddress(folder: string, port: number, password: string): string {
  return `postgres://${USER}:${password}@localhost:${port}/postgres?host=${encodeURIComponent(folder)}`;
}

async function firstThatAnswers(connectionStrings: readonly string[]): Promise<string | undefined> {
  for (const connectionString of connectionStrings) if (await answers(connectionString)) return connectionString;
  return undefined;
}

/** @throws what the file system says, unless it is that there is none: a cluster that cannot be read must not be made anew. */
async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

async function passwordOf(home: PostgresHome): Promise<string> {
  const file = path.join(home.base, 'password');
  const kept = await readFile(file, 'utf8').catch(() => '');
  if (kept.trim() !== '') return kept.trim();
  const made = randomBytes(18).toString('base64url');
  await writeFile(file, `${made}\n`, { mode: 0o600 });
  if (home.user) await chown(file, home.user.uid, home.user.gid);
  return made;
}

async function initialise(home: PostgresHome, password: string, durable: boolean): Promise<void> {
  // An initdb that was killed leaves half a cluster, which no later one takes. So it gets its name when it is whole.
  const unfinished = `${home.cluster}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  await chmod(unfinished, 0o700);
  if (home.user) await chown(unfinished, home.user.uid, home.user.gid);
  const passwordFile = path.join(home.base, 'password');
  const flags = ['-D', unfinished, '-U', USER, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
  flags.push('-E', 'UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C');
  if (!durable) flags.push('--no-sync');
  const child = spawn(
    path.join(home.native, 'bin', 'initdb'),
    flags,
    processOptions(home.user, ['ignore', 'pipe', 'pipe']),
  );
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) {
    throw new Error(
      `The embedded PostgreSQL could not be set up in ${home.cluster}; set DATABASE_URL to use another. initdb said: ${output.trim().slice(-1000)}`,
    );
  }
  if (password === '') throw new Error('The embedded PostgreSQL has no password');
  await rename(unfinished, home.cluster);
}

function processOptions(user: PostgresUser | undefined, stdio: ('ignore' | 'pipe')[]) {
  // Detached: Ctrl-C signals the whole process group, and the database must run until the service has closed.
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' };
  return { ...(user && { uid: user.uid, gid: user.gid }), stdio, detached: true, env, cwd: '/' };
}

interface ServerSettings {
  port: number;
  password: string;
  durable: boolean;
  socket: string | undefined;
}

/** The child processes of a killed server end within this time. No new server can start before that. */
const LEFTOVERS_MS = 5000;

async function launchAfter(killed: { pid: number }, home: PostgresHome, settings: ServerSettings): Promise<string> {
  const deadline = Date.now() + (killed.pid > 0 ? LEFTOVERS_MS : 0);
  for (;;) {
    try {
      return await launch(home, settings);
    } catch (error) {
      if (Date.now() >= deadline) throw error;
      await sleep(100);
    }
  }
}

/** Starts the server and waits for it. Returns its connection string. */
async function launch(home: PostgresHome, { port, password, durable, socket }: ServerSettings): Promise<string> {
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${socket ?? ''}`,
    'max_connections=200',
    'logging_collector=on',
  ];
  settings.push(
    'log_directory=log',
    'log_filename=postgresql-%a.log',
    'log_truncate_on_rotation=on',
    'log_rotation_size=0',
  );
  if (!durable) settings.push('fsync=off', 'synchronous_commit=off', 'full_page_writes=off');
  const flags = ['-D', home.cluster, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
  const child = spawn(
    path.join(home.native, 'bin', 'postgres'),
    flags,
    processOptions(home.user, ['ignore', 'ignore', 'ignore']),
  );
  let ended: string | undefined;
  child.on('error', (error) => (ended = error.message));
  child.on('exit', (code, signal) => (ended = `exit code ${code ?? signal}`));
  child.unref();
  const deadline = Date.now() + START_TIMEOUT_MS;
  const address = socket === undefined ? tcpAddress(port, password) : socketAddress(socket, port, password);
  for (;;) {
    if (await answers(address)) return address;
    if (ended !== undefined || Date.now() > deadline) {
      throw new Error(
        `The embedded PostgreSQL did not start (${ended ?? 'no answer'}); its log is in ${path.join(home.cluster, 'log')}`,
      );
    }
    await sleep(25);
  }
}

async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    // No server yet, or another program's server on a port that was ours before.
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** The process id and port in postmaster.pid, each 0 when unknown. A killed server leaves this file behind. */
async function notedServer(cluster: string): Promise<{ pid: number; port: number }> {
  const text = await readFile(path.join(cluster, 'postmaster.pid'), 'utf8').catch(() => '');
  const [pid, , , port] = text.split('\n');
  return { pid: Number(pid) || 0, port: Number(port) || 0 };
}

async function runningServer(cluster: string): Promise<{ pid: number; port: number } | undefined> {
  const noted = await notedServer(cluster);
  return noted.pid > 0 && noted.port > 0 && isProcessAlive(noted.pid) ? noted : undefined;
}

/** Prefers the port that the killed server had, where other replicas still look for it. */
async function portFor({ port }: { port: number }): Promise<number> {
  return freePort('127.0.0.1', port).catch(() => freePort());
}

async function shutDown(cluster: string): Promise<void> {
  const running = await runningServer(cluster);
  if (!running) return;
  process.kill(running.pid, 'SIGINT');
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (await runningServer(cluster)) {
    if (Date.now() > deadline) throw new Error('The embedded PostgreSQL did not stop');
    await sleep(25);
  }
}
