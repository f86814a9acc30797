import { execFile } from 'node:child_process';
import { devNull } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { JWT_SECRET, type TestApp } from './test-app.ts';

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export const COMMAND = fileURLToPath(new URL('../../src/cli/bin.js', import.meta.url));
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs `mediakeep` with only these settings in its environment. */
export async function runCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { node = [], cwd }: { node?: readonly string[]; cwd?: string } = {},
): Promise<Outcome> {
  try {
    const output = await promisify(execFile)(process.execPath, [...node, COMMAND, ...args], {
      // Without a folder of the test it may use none: the default is one of whoever works in the checkout.
      env: { PATH: process.env['PATH'], DATA_DIR: path.join(devNull, 'none'), ...env },
      maxBuffer: MAX_OUTPUT_BYTES,
      ...(cwd !== undefined && { cwd }),
    });
    return { code: 0, ...output };
  } catch (error) {
    const { code, stdout, stderr } = error as Outcome;
    return { code, stdout, stderr };
  }
}

/** The settings of a test's service, for commands on its database and volume. */
export function settingsOf(t: TestApp): Record<string, string> {
  return {
    DATABASE_URL: t.connectionString,
    JWT_SECRET,
    DATA_DIR: path.dirname(t.volume),
    PUBLIC_BASE_URL: 'http://media.test',
  };
}
