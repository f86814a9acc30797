import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/db/embedded/free-port.ts';

export const CHECKOUT = fileURLToPath(new URL('../../', import.meta.url));

export interface ServiceOptions {
  /** Settings; of this process's environment only PATH and HOME are passed on. */
  env: Record<string, string>;
  /** Folder with src/main.ts; default: this checkout. */
  checkout?: string;
  /** Words before `node`, e.g. to become another user. */
  as?: readonly string[];
  /** Instead of `node src/main.ts`; runs in a separate process group. */
  command?: readonly string[];
  cwd?: string;
}

export interface ServiceProcess {
  child: ChildProcess;
  pid: number;
  address: string;
  /** Output so far. */
  output(): string;
  /** Milliseconds from the spawn until readiness was green. */
  readyAfterMs: number;
  kill(signal: NodeJS.Signals): void;
  /** Exit code, or the signal's name. */
  ended: Promise<number | string>;
}

/** Runs `node src/main.ts`; returns at once. */
export function spawnService(options: ServiceOptions): {
  child: ChildProcess;
  output: () => string;
  ended: Promise<number | string>;
} {
  const checkout = options.checkout ?? CHECKOUT;
  // Its default is a folder of whoever works in the checkout.
  if (options.env['DATA_DIR'] === undefined && (options.cwd ?? checkout) === CHECKOUT)
    throw new Error('A test gives the service a DATA_DIR');
  const command = options.command ?? [...(options.as ?? []), process.execPath, path.join(checkout, 'src/main.ts')];
  const child = spawn(command[0] ?? '', command.slice(1), {
    cwd: options.cwd ?? checkout,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '/',
      // Halves the time of a start; where this user may not write, Node does without.
      NODE_COMPILE_CACHE: path.join(CHECKOUT, 'node_modules/.cache/compile'),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.command !== undefined,
  });
  let text = '';
  const collect = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const ended = new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? code ?? -1));
  });
  ended.catch(() => {});
  return { child, output: () => text, ended };
}

/** Starts the real service and waits until it is ready, on `PORT` or any. @throws with its output when it ends before */
export async function startService(options: ServiceOptions): Promise<ServiceProcess> {
  const wanted = options.env['PORT'];
  if (wanted !== undefined) return startOn(wanted, options);
  const port = String(await freePort());
  return startOn(port, options).catch(async (error: Error) => {
    // Two concurrent starts may choose the same port.
    if (error.message.includes(`PORT: ${port} is in use`)) return startOn(String(await freePort()), options);
    throw error;
  });
}

async function startOn(port: string, options: ServiceOptions): Promise<ServiceProcess> {
  const started = performance.now();
  const { child, output, ended } = spawnService({ ...options, env: { ...options.env, PORT: port } });
  const address = `http://127.0.0.1:${port}`;
  let over: number | string | undefined;
  void ended.then((code) => (over = code));
  for (;;) {
    if (over !== undefined) throw new Error(`The service ended with ${over}:\n${output()}`);
    if (performance.now() - started > 60_000) {
      child.kill('SIGKILL');
      throw new Error(`The service was not ready after a minute:\n${output()}`);
    }
    const response = await fetch(`${address}/health/ready`).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  return {
    child,
    pid: child.pid ?? -1,
    address,
    output,
    readyAfterMs: performance.now() - started,
    kill: (signal) => void child.kill(signal),
    ended,
  };
}
