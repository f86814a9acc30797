import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { LAST_CASE, type ReportedTest, type Run, checkCases } from '../support/report/hostile-cases.ts';
import { CHECKOUT } from '../support/service-process.ts';

const FILE = 'test/hostile/paths.test.ts';
const UNIT = 'test/hostile/keys.unit.test.ts';
const LONG = 'test/durability/clock.long.test.ts';

/** A document with these rows, listing all other numbers as not yet tested. */
function documentOf(rows: Record<number, string>, untested = others(rows)): string {
  const table = Object.entries(rows).map(([number, tests]) => `| ${number} | a threat | a defence | ${tests} |`);
  return `| case | threat | defence | tests |\n|---|---|---|---|\n${table.join('\n')}\n\n## Not yet tested\n\n${untested.map((number) => `- ${number}: later`).join('\n')}\n`;
}
const others = (rows: Record<number, string>) =>
  Array.from({ length: LAST_CASE }, (_value, index) => index + 1).filter((number) => rows[number] === undefined);

const reported = (title: string, state: ReportedTest['state'] = 'passed', file = FILE): ReportedTest => ({
  file,
  title,
  state,
});
const run = (tests: ReportedTest[], more: Partial<Run> = {}): Run => ({
  projects: ['main'],
  tests,
  canMount: true,
  ...more,
});

const ROW = { 1: `\`${FILE}\`: case 1: userId…` };
const document = documentOf(ROW);
const GOOD = reported('case 1: userId "../" gets a folder of its own');

test('a run in which every test of a number has passed is accepted', () => {
  expect(
    checkCases(document, run([GOOD, reported('case 1: userId ".." too'), reported('something else', 'skipped')])),
  ).toEqual([]);
});

test('a title may be nested in suites', () => {
  expect(checkCases(document, run([reported('with a secret case 1: userId "../"')]))).toEqual([]);
});

test.each([
  ['none', []],
  ['one of another number', [reported('case 10: userId ".git"')]],
  ['one in another file', [{ ...GOOD, file: 'test/hostile/keys.test.ts' }]],
  ['one of another title', [reported('case 1: a file name')]],
])('a number without its test is reported: there is %s', (_name, tests) => {
  expect(checkCases(document, run(tests))).toContain(`case 1: ${FILE} has no test 'case 1: userId'`);
});

test.each(['failed', 'skipped', 'pending'] as const)(
  'a number with a test that is %s is reported, even if another has passed',
  (state) => {
    const problems = checkCases(document, run([GOOD, reported('case 1: userId ".."', state)]));
    expect(problems).toEqual([expect.stringMatching(/^case 1: .* 'case 1: userId "\.\."' has (failed|not run)$/)]);
  },
);

test('each of several tests of a number must pass', () => {
  const both = documentOf({ 1: `\`${FILE}\`: case 1: userId…<br>\`test/hostile/keys.test.ts\`: case 1: a key…` });
  expect(checkCases(both, run([GOOD]))).toEqual([`case 1: test/hostile/keys.test.ts has no test 'case 1: a key'`]);
});

test('a test of a project that was not run is not required', () => {
  const long = documentOf({ ...ROW, 102: `\`${LONG}\`: case 102:…` });
  expect(checkCases(long, run([GOOD]))).toEqual([]);
  const clock = reported('case 102: a token', 'passed', LONG);
  expect(checkCases(long, run([clock], { projects: ['long'] }))).toEqual([]);
  expect(checkCases(long, run([GOOD, clock], { projects: ['main', 'long'] }))).toEqual([]);
  expect(checkCases(long, run([], { projects: ['long'] }))).toEqual([`case 102: ${LONG} has no test 'case 102:'`]);
});

test('a unit test is required in a run of the unit tests, and in no other', () => {
  const unit = documentOf({ 9: `\`${UNIT}\`: case 9:…` });
  expect(checkCases(unit, run([], { projects: ['main', 'long'] }))).toEqual([]);
  expect(checkCases(unit, run([], { projects: ['unit'] }))).toEqual([`case 9: ${UNIT} has no test 'case 9:'`]);
  const keys = reported('case 9: a long word', 'passed', UNIT);
  expect(checkCases(unit, run([keys], { projects: ['unit', 'main'] }))).toEqual([]);
  // Those of the other projects have not run.
  expect(checkCases(document, run([], { projects: ['unit'] }))).toEqual([]);
});

test('a test that needs a mounted volume is required where mounting is possible', () => {
  const mounted = documentOf({ 99: `\`${FILE}\`: case 99:… (where the tests may mount a volume)` });
  const skipped = [reported('case 99: a full volume', 'skipped')];
  expect(checkCases(mounted, run(skipped, { canMount: false }))).toEqual([]);
  expect(checkCases(mounted, run(skipped))).toHaveLength(1);
});

test('a number that is listed as not yet tested must have no test', () => {
  expect(checkCases(document, run([GOOD, reported('case 107: a flipped byte is found')]))).toEqual([
    `case 107 is listed as not yet tested, and ${FILE} tests it`,
  ]);
});

test('a number that is listed nowhere, or in both places, is reported', () => {
  const all = others(ROW);
  expect(checkCases(documentOf(ROW, all.slice(0, -1)), run([GOOD]))).toEqual([
    'case 107 is neither in the table nor listed as not yet tested',
  ]);
  expect(checkCases(documentOf(ROW, [1, ...all]), run([GOOD]))[0]).toBe(
    'case 1 is in the table, and listed as not yet tested',
  );
});

test('a row that names no test, or one of another number, is reported', () => {
  expect(checkCases(documentOf({ 1: 'somewhere' }), run([GOOD]))).toEqual([
    `case 1: 'somewhere' does not name a file and a test`,
  ]);
  expect(checkCases(documentOf({ 1: `\`${FILE}\`: case 10: userId…` }), run([GOOD]))[0]).toContain(
    'does not begin with its number',
  );
});

test('the document itself names existing files, and each number once', async () => {
  const text = await readFile(path.join(CHECKOUT, 'docs/threat-model.md'), 'utf8');
  expect(checkCases(text, run([], { projects: [] }))).toEqual([]);
  const files = new Set([...text.matchAll(/`(test\/[^`]+\.ts)`: case/g)].map(([, file]) => file ?? ''));
  expect(files.size).toBeGreaterThan(20);
  expect([...files].filter((file) => !existsSync(path.join(CHECKOUT, file)))).toEqual([]);
});
