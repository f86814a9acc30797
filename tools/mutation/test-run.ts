import { spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { WorkFolder } from './work-folder.ts';

export type Outcome =
  | { state: 'passed' }
  /** The failed test, or why a test file could not be loaded. */
  | { state: 'failed'; by: string }
  | { state: 'timed out' };

export interface TestRun {
  /** Prepared by `prepareForTests`. */
  folder: string;
  /** Relative to the folder; run in this order. */
  files: readonly string[];
  env: Readonly<Record<string, string>>;
  limitMs: number;
}

/** Runs test files until the first failure. */
export async function runTests({ folder, files, env, limitMs }: TestRun): Promise<Outcome> {
  const { code, output, report } = await runRunner({ folder, files, limitMs, env }, ['--bail', '1']);
  if (code === undefined) return { state: 'timed out' };
  if (code === 0) return { state: 'passed' };
  return { state: 'failed', by: firstFailure(report, folder) ?? `the runner: ${output.trim().slice(-300)}` };
}

/** Runs test files one after the other, each in a process of its own, and measures them. What did not end is missing. */
export async function runEach(run: TestRun): Promise<Map<string, { seconds: number; passes: boolean }>> {
  const { report } = await runRunner({ ...run, env: { ...run.env, MUTATION_MARK: '1' } }, []);
  return new Map(
    report.map(({ name, status, startTime, endTime }) => [
      path.relative(run.folder, name),
      { seconds: (endTime - startTime) / 1000, passes: status === 'passed' },
    ]),
  );
}

/** The runner's report on a test file. */
interface FileReport {
  name: string;
  status: string;
  message: string;
  /** Milliseconds since 1970. */
  startTime: number;
  endTime: number;
  assertionResults: { status: string; fullName: string }[];
}

async function runRunner(
  { folder, files, env, limitMs }: TestRun,
  options: readonly string[],
): Promise<Ended & { report: FileReport[] }> {
  const file = path.join(folder, 'mutation-report.json');
  await rm(file, { force: true });
  // Only what is needed: unit tests alone start neither a database nor a store.
  const projects = [...new Set(files.map(projectOf))].flatMap((project) => ['--project', project]);
  const words = ['node_modules/vitest/vitest.mjs', 'run', '--config', RUNNER_FILE, ...projects, ...options];
  const where = ['--maxWorkers', '1', '--reporter', 'json', '--outputFile', file, ...files];
  const withOrder = { ...env, MUTATION_TEST_ORDER: files.join('\n') };
  const ended = await run(process.execPath, [...words, ...where], { folder, env: withOrder, limitMs });
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return {
    ...ended,
    report: text === undefined ? [] : (JSON.parse(text) as { testResults: FileReport[] }).testResults,
  };
}

function projectOf(file: string): string {
  return /\.(unit|long|soak)\.test\.ts$/.exec(file)?.[1] ?? 'main';
}

/** Writes the settings of the compiler and the test runner into a copy of the checkout. */
export async function prepareForTests(folder: WorkFolder): Promise<void> {
  await folder.write('tsconfig.mutation.json', COMPILER_SETTINGS);
  await folder.write(RUNNER_FILE, RUNNER_SETTINGS);
}

/** Whether `src` type-checks, by an incremental run of the compiler. */
export async function compiles(folder: string): Promise<boolean> {
  const words = ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.mutation.json'];
  return (await run(process.execPath, words, { folder, env: {}, limitMs: 120_000 })).code === 0;
}

/** A setup file of the runner when `runEach` measures; see `MARKING_MODULE`. */
export const MARKING_FILE = 'mutation-mark.mjs';
const RUNNER_FILE = 'vitest.mutation.config.ts';
/** The runner's own order would start with large files. What waits for ever is found sooner than in the checks. */
const RUNNER_SETTINGS = `
import path from 'node:path';
import { BaseSequencer } from 'vitest/node';
import config from './vitest.config.ts';
const order = (process.env.MUTATION_TEST_ORDER ?? '').split('\\n');
const placeOf = ({ moduleId }) => order.indexOf(path.relative(import.meta.dirname, moduleId));
class AsGiven extends BaseSequencer {
  async sort(files) {
    return files.toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}
const marks = process.env.MUTATION_MARK !== undefined;
// In a process of its own each file loads everything, which is part of its reach.
const projects = config.test.projects.map((project) => ({
  ...project,
  test: { ...project.test, ...(marks && { isolate: true, setupFiles: ['./${MARKING_FILE}'] }) },
}));
export default {
  ...config,
  test: { ...config.test, projects, sequence: { sequencer: AsGiven }, testTimeout: 45_000, hookTimeout: 45_000 },
};
`;

/** For `compiles`. A mutant may leave code unused or unreachable. */
const COMPILER_SETTINGS = JSON.stringify({
  extends: './tsconfig.json',
  include: ['src'],
  compilerOptions: {
    incremental: true,
    tsBuildInfoFile: './mutation.tsbuildinfo',
    noUnusedLocals: false,
    noUnusedParameters: false,
    allowUnreachableCode: true,
  },
});

function firstFailure(testResults: readonly FileReport[], folder: string): string | undefined {
  const place = (name: string) => path.relative(folder, name);
  for (const { name, assertionResults } of testResults) {
    const failed = assertionResults.find((one) => one.status === 'failed');
    if (failed) return `${place(name)}: ${failed.fullName}`;
  }
  // Files that the early end has cut off are reported as failed, too, without a message.
  const broken = testResults.find(({ status, message }) => status === 'failed' && message !== '');
  if (broken) return `${place(broken.name)}: ${broken.message.split('\n')[0]}`;
  return undefined;
}

interface Ended {
  /** Undefined: it timed out, and was killed with all of its children. */
  code: number | undefined;
  output: string;
}

function run(
  command: string,
  words: readonly string[],
  { folder, env, limitMs }: Pick<TestRun, 'folder' | 'env' | 'limitMs'>,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // A separate process group, so that it can be killed with its workers.
    const child = spawn(command, words, {
      cwd: folder,
      // Leftovers of a killed run are removed with the folder.
      env: { ...process.env, NO_COLOR: '1', TMPDIR: path.join(folder, 'tmp'), ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-10_000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, limitMs);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve({ code: late ? undefined : (code ?? 1), output });
    });
  });
}
