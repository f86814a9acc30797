/** The hostile cases are numbered from 1 to this. */
export const LAST_CASE = 107;

/** One test of a run, as the runner reports it. */
export interface ReportedTest {
  /** Relative to the checkout. */
  file: string;
  /** With the titles of the enclosing suites, separated by blanks. */
  title: string;
  state: 'passed' | 'failed' | 'skipped' | 'pending';
}

export interface Run {
  /** The projects of the run: only tests of these are required. */
  projects: readonly string[];
  tests: readonly ReportedTest[];
  /** Whether tests can mount a volume on this machine. */
  canMount: boolean;
}

interface Entry {
  file: string;
  /** Prefix of the titles of its tests. */
  title: string;
  needsMount: boolean;
}

const ENTRY = /^`([^`]+)`: (.*?)(…)?( \(where the tests may mount a volume\))?$/;

/** Errors of the table of hostile cases, or of the run's tests of them; none: an empty list. */
export function checkCases(document: string, run: Run): string[] {
  const { rows, untested, problems } = readCases(document);
  for (let number = 1; number <= LAST_CASE; number += 1) {
    const inTable = rows.has(number);
    const listed = untested.has(number);
    if (!inTable && !listed) problems.push(`case ${number} is neither in the table nor listed as not yet tested`);
    if (inTable && listed) problems.push(`case ${number} is in the table, and listed as not yet tested`);
  }
  for (const [number, entries] of rows) problems.push(...entries.flatMap((entry) => checkEntry(number, entry, run)));
  for (const number of untested) {
    const found = run.tests.find(({ title }) => new RegExp(`\\bcase ${number}\\b`).test(title));
    if (found) problems.push(`case ${number} is listed as not yet tested, and ${found.file} tests it`);
  }
  return problems;
}

/** @param number of the row that names the test */
function checkEntry(number: number, { file, title, needsMount }: Entry, run: Run): string[] {
  if (!new RegExp(`^case ${number}\\b`).test(title))
    return [`case ${number}: '${title}' does not begin with its number`];
  if (!run.projects.includes(projectOf(file)) || (needsMount && !run.canMount)) return [];
  const tests = run.tests.filter((test) => test.file === file && test.title.includes(title));
  if (tests.length === 0) return [`case ${number}: ${file} has no test '${title}'`];
  return tests
    .filter(({ state }) => state !== 'passed')
    .map((test) => `case ${number}: ${file}: '${test.title}' has ${test.state === 'failed' ? 'failed' : 'not run'}`);
}

/** The project of vitest.config.ts that runs a file. */
function projectOf(file: string): string {
  const [, project] = /\.(unit|long|soak)\.test\.ts$/.exec(file) ?? [];
  return project ?? 'main';
}

/** The rows of the table by their numbers, and the numbers in the list below it. */
function readCases(document: string): { rows: Map<number, Entry[]>; untested: Set<number>; problems: string[] } {
  const rows = new Map<number, Entry[]>();
  const problems: string[] = [];
  for (const line of document.split('\n')) {
    const [, digits, cells] = /^\| *(\d+) *\|(.*)\|$/.exec(line) ?? [];
    if (digits === undefined || cells === undefined) continue;
    const number = Number(digits);
    const cell = cells.split(' | ').at(-1)?.trim() ?? '';
    if (rows.has(number)) problems.push(`case ${number} has two rows`);
    rows.set(
      number,
      cell.split('<br>').flatMap((text) => {
        const [, file, title, , needs] = ENTRY.exec(text.trim()) ?? [];
        if (file !== undefined && title !== undefined) return [{ file, title, needsMount: needs !== undefined }];
        problems.push(`case ${number}: '${text.trim()}' does not name a file and a test`);
        return [];
      }),
    );
  }
  const list = document.split(/^#+ Not yet tested$/m)[1] ?? '';
  const untested = new Set([...list.matchAll(/^- (\d+)\b/gm)].map(([, digits]) => Number(digits)));
  return { rows, untested, problems };
}
