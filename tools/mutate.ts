import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../src/db/embedded/embedded-postgres.ts';
import { createDataFolder } from '../test/support/data-folder.ts';
import { collectCoverage } from './mutation/coverage.ts';
import { judge } from './mutation/judge.ts';
import { keepVerdicts } from './mutation/kept-verdicts.ts';
import { type Mutant, mutantsOf } from './mutation/mutants.ts';
import { lineOf, summaryOf } from './mutation/report.ts';
import { shuffled } from './mutation/sample.ts';
import { compiles, prepareForTests } from './mutation/test-run.ts';
import type { Judged } from './mutation/verdict.ts';
import { type WorkFolder, createWorkFolder, filesOfCheckout } from './mutation/work-folder.ts';

// Mutation testing: makes one small change to the code at a time and checks that a test fails: `npm run mutate`. See
// CONTRIBUTING.md.

const FOLDERS = ['src/domain', 'src/storage', 'src/db'];
/** Generated code or declarations, without logic. */
const LEFT_OUT = new Set([
  'src/db/tables.ts',
  'src/db/schema/expected-columns.ts',
  'src/db/schema/expected-indexes.ts',
]);

const { values } = parseArgs({
  options: {
    sample: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    minutes: { type: 'string', default: '40' },
    folder: { type: 'string', multiple: true, default: FOLDERS },
    budget: { type: 'string', default: '60' },
    short: { type: 'boolean', default: false },
    continue: { type: 'boolean', default: false },
    lanes: { type: 'string', default: String(availableParallelism()) },
  },
});
const [sample, seed, minutes, budgetSeconds, lanes] = (['sample', 'seed', 'minutes', 'budget', 'lanes'] as const).map(
  (name) => {
    const number = Number(values[name]);
    if (!Number.isFinite(number) || number < 0) throw new Error(`--${name} must be a number, not '${values[name]}'`);
    return number;
  },
) as [number, number, number, number, number];

const say = (text: string) => void process.stdout.write(`${text}\n`);
const inFolders = (folders: readonly string[]) => (file: string) =>
  file.endsWith('.ts') &&
  !LEFT_OUT.has(file) &&
  folders.some((folder) => file === folder || file.startsWith(`${folder.replace(/\/$/, '')}/`));

const sources = filesOfCheckout().filter(inFolders(FOLDERS));
const wanted = sources.filter(inFolders(values.folder));
if (wanted.length === 0) throw new Error(`--folder must lie in ${FOLDERS.join(', ')}`);

const data = await createDataFolder('mutation');
const postgres = await startEmbeddedPostgres({ dataDir: data.path, durable: false });
// The strict in-memory server starts at once with each run.
const env = { TEST_DATABASE_URL: postgres.connectionString, TEST_S3: 'strict' };
const folders: WorkFolder[] = [];
const ending = new AbortController();
process.once('SIGINT', () => ending.abort());
process.once('SIGTERM', () => ending.abort());
try {
  for (let lane = 0; lane < Math.max(1, lanes); lane += 1) {
    const folder = await createWorkFolder();
    folders.push(folder);
    await prepareForTests(folder);
  }
  await run();
} finally {
  await Promise.all(folders.map((folder) => folder.remove()));
  await postgres.stop();
  await data.remove();
}

async function run(): Promise<void> {
  const first = folders[0];
  if (!first) return;
  const mutants: Mutant[] = [];
  const texts = new Map<string, string>();
  for (const file of wanted) texts.set(file, await first.read(file));
  for (const [file, text] of texts) mutants.push(...mutantsOf(file, text));
  say(`${mutants.length} mutants in ${wanted.length} files; ${sample} of them with seed ${seed}`);
  const coverage = await collectCoverage(folders, sources, {
    env,
    long: !values.short,
    signal: ending.signal,
    onProgress: (done, of) => {
      if (done % 20 === 0 || done === of) say(`learnt what ${done} of ${of} files of tests reach`);
    },
  });
  if (ending.signal.aborted) return;
  const broken = [...coverage].filter(([, { passes }]) => !passes).map(([file]) => file);
  if (broken.length > 0) say(`left out, for they fail without any mutant or take too long: ${broken.join(', ')}`);
  for (const folder of folders) {
    if (!(await compiles(folder.path))) throw new Error('src does not compile as it is');
  }
  const judged: Judged[] = [];
  const kept = keepVerdicts({ seed, coverage, budgetSeconds, texts, goOn: values.continue });
  const end = Date.now() + minutes * 60_000;
  const queue = shuffled(mutants, seed).values();
  const missing = () => sample - judged.filter(({ verdict }) => verdict.state !== 'invalid').length - underWay;
  let underWay = 0;
  await Promise.all(
    folders.map(async (folder) => {
      while (!ending.signal.aborted && Date.now() < end && missing() > 0) {
        const mutant = queue.next().value;
        if (!mutant) return;
        underWay += 1;
        const one = kept.find(mutant) ?? (await judge(mutant, { folder, coverage, env, budgetSeconds }));
        underWay -= 1;
        judged.push(one);
        kept.add(one);
        say(lineOf(one));
      }
    }),
  );
  const alive = judged.filter(({ verdict }) => verdict.state === 'survived' || verdict.state === 'not reached');
  say(`\nNoticed by no test:\n${alive.map(lineOf).join('\n') || 'none'}\n\n${summaryOf(judged)}`);
  say(`All of them: ${kept.file}`);
}
