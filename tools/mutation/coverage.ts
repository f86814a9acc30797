import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { HITS_MODULE, MARKING_MODULE, hitsFileOf, instrumented } from './instrument.ts';
import { MARKING_FILE, runEach } from './test-run.ts';
import { shuffled } from './sample.ts';
import { CHECKOUT, type WorkFolder, filesOfCheckout } from './work-folder.ts';

/** The code that one test file reaches. */
export interface Reach {
  /** Of the file, so that a changed one is measured again. */
  hash: string;
  seconds: number;
  /** False: it fails on the unchanged code, so it says nothing about mutants. */
  passes: boolean;
  /** `file:offset` of the pieces of code that ran. */
  pieces: string[];
}

/** By test file. */
export type Coverage = Map<string, Reach>;

export interface CoverageOptions {
  env: Readonly<Record<string, string>>;
  /** Include long tests. */
  long: boolean;
  /** Stops before the next test file; results until then are kept. */
  signal: AbortSignal;
  onProgress: (done: number, of: number) => void;
}

const CACHE = path.join(CHECKOUT, 'node_modules/.cache/mediakeep/mutation');
const HITS = 'mutation-hits.mjs';
/** Test files that one run of the runner measures: its start is spent once, and an interruption loses no more than these. */
const AT_ONCE = 12;
/** A test file that takes longer is left out. */
const LIMIT_SECONDS = 120;
/** For a run of the runner, which must end. */
const LIMIT_MS = 600_000;

/** Long tests that take many minutes, measure how long others are delayed, or reach nothing that others do not. */
const TOO_LONG = /^test\/(hostile|process)\/|^test\/durability\/(?!copies|pending|routing|runs-)/;

/** The test files that are run on a mutant: those of the projects `unit` and `main`, and of `long` if requested. */
function testFiles({ long }: { long: boolean }): string[] {
  return filesOfCheckout().filter(
    (file) => file.endsWith('.test.ts') && (!/\.(long|soak)\.test\.ts$/.test(file) || (long && !TOO_LONG.test(file))),
  );
}

/** Runs each test file in a process of its own, unless its reach is cached, and caches the result. */
export async function collectCoverage(
  folders: readonly WorkFolder[],
  sources: readonly string[],
  { env, long, signal, onProgress }: CoverageOptions,
): Promise<Coverage> {
  const cacheFile = path.join(CACHE, `${await hashOf(everythingElse())}.json`);
  const known = await readFile(cacheFile, 'utf8').catch(() => '[]');
  const coverage: Coverage = new Map(JSON.parse(known) as [string, Reach][]);
  const wanted: string[] = [];
  const files = testFiles({ long });
  for (const file of files) if (coverage.get(file)?.hash !== (await hashOf([file]))) wanted.push(file);
  if (wanted.length > 0) {
    await mkdir(CACHE, { recursive: true });
    // Slow ones, which lie side by side, are spread.
    const queue = shuffled(wanted, 1);
    let done = 0;
    await Promise.all(
      folders.map(async (folder) => {
        const originals = await instrumentAll(folder, sources);
        while (queue.length > 0 && !signal.aborted) {
          const some = queue.splice(0, AT_ONCE);
          for (const [file, reach] of await reachOf(folder, some, env)) coverage.set(file, reach);
          // At once, because another lane may write, too.
          writeFileSync(cacheFile, JSON.stringify([...coverage]));
          onProgress((done += some.length), wanted.length);
        }
        for (const [file, text] of originals) await folder.write(file, text);
      }),
    );
  }
  const present = new Set(files);
  return new Map([...coverage].filter(([file]) => present.has(file)));
}

async function instrumentAll(folder: WorkFolder, sources: readonly string[]): Promise<Map<string, string>> {
  const originals = new Map<string, string>();
  await folder.write(HITS, HITS_MODULE);
  await folder.write(MARKING_FILE, MARKING_MODULE);
  for (const file of sources) {
    const text = await folder.read(file);
    originals.set(file, text);
    await folder.write(file, instrumented(file, text, path.posix.relative(path.posix.dirname(file), HITS)));
  }
  return originals;
}

/** Of a file that the runner did not end with, it is that it does not pass. */
async function reachOf(
  folder: WorkFolder,
  files: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<[string, Reach][]> {
  await rm(path.join(folder.path, 'hits'), { recursive: true, force: true });
  await mkdir(path.join(folder.path, 'hits'));
  const measured = await runEach({ folder: folder.path, files, env, limitMs: LIMIT_MS });
  return Promise.all(
    files.map(async (file): Promise<[string, Reach]> => {
      const { seconds, passes } = measured.get(file) ?? { seconds: LIMIT_SECONDS, passes: false };
      const lines = (await readFile(path.join(folder.path, hitsFileOf(file)), 'utf8').catch(() => '')).split('\n');
      return [
        file,
        {
          hash: await hashOf([file], folder.path),
          seconds,
          passes: passes && seconds < LIMIT_SECONDS,
          pieces: [...new Set(lines)].filter((line) => line !== ''),
        },
      ];
    }),
  );
}

/** Files that affect the reach of every test file. */
function everythingElse(): string[] {
  return filesOfCheckout().filter(
    (file) =>
      /^(src|migrations)\//.test(file) ||
      (file.startsWith('test/') && !file.endsWith('.test.ts')) ||
      ['vitest.config.ts', 'package-lock.json'].includes(file),
  );
}

async function hashOf(files: readonly string[], folder = CHECKOUT): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${file}\0`);
    hash.update(await readFile(path.join(folder, file)));
  }
  return hash.digest('hex').slice(0, 24);
}
