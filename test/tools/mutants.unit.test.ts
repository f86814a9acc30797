import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { instrumented } from '../../tools/mutation/instrument.ts';
import { type Mutant, mutantsOf, mutated } from '../../tools/mutation/mutants.ts';
import { summaryOf } from '../../tools/mutation/report.ts';
import { choose, nearness } from '../../tools/mutation/order.ts';
import { shuffled } from '../../tools/mutation/sample.ts';
import { parse } from '../../tools/mutation/tree.ts';

const FILE = 'src/domain/x.ts';
/** The texts that the mutants of a text produce. */
const becomes = (text: string, file = FILE) => mutantsOf(file, text).map((mutant) => mutated(text, mutant));

test.each<[string, string, string[]]>([
  ['a condition', 'if (a) b = 1; else c = 1;', ['if (!(a)) b = 1; else c = 1;']],
  ['a guard', 'if (a) throw b;', ['if (!(a)) throw b;', 'if (false) throw b;']],
  ['a choice', 'const x = a ? b : c;', ['const x = !(a) ? b : c;']],
  ['and, or', 'const x = a && b || c;', ['const x = a && b && c;', 'const x = a || b || c;']],
  ['a bound', 'const x = a < b;', ['const x = a <= b;']],
  ['equality', 'const x = a !== b;', ['const x = a === b;']],
  ['a sum', 'x += a - b;', ['x -= a - b;', 'x += a + b;']],
  ['a default', 'const x = a ?? b;', ['const x = a;', 'const x = b;']],
  ['a negation', 'const x = !a;', ['const x = a;']],
  ['a boolean', 'const f = () => true;', ['const f = () => false;']],
  ['a text that is compared', "x = a === 'b';", ["x = a !== 'b';", "x = a === '';"]],
  ['an empty text that is compared', "x = a === '';", ["x = a !== '';", "x = a === 'mutant';"]],
  ['a text that is a key', "x = a['b'];", ["x = a[''];"]],
  ['a text that is looked for', "x = a.startsWith('b');", ["x = a.startsWith('');"]],
  ['a text of a set', "x = new Set(['a']);", ["x = new Set(['']);"]],
  ['a key of a map', "x = new Map([['a', 'b']]);", ["x = new Map([['', 'b']]);"]],
  ['the text of a case', "switch (a) { case 'b': c = 'd'; }", ["switch (a) { case '': c = 'd'; }"]],
  ['a call', 'check(a);', [';']],
  ['a call that is awaited', 'await a.check?.(b);', [';']],
  ['a call whose promise is not awaited', 'void send();', [';']],
  ['the smaller and the larger', 'const x = Math.min(a, b);', ['const x = Math.max(a, b);']],
  ['any and all', 'const x = a.some(f);', ['const x = a.every(f);']],
])('%s is changed in each possible way, and nothing else is', (_what, text, expected) => {
  expect(becomes(text).toSorted()).toEqual(expected.toSorted());
});

test.each([
  ['types', "type A = 'a' | 'b'; interface B { c: true } const d: 'e' | undefined = f as 'g';"],
  [
    'imports and exports of modules',
    "import a from 'a'; export * from 'b'; export { c } from 'd'; const e = import('f');",
  ],
  [
    'what is logged or measured',
    "deps.log.warn({ a: 'b', c: d && e }, 'f'); metrics.seen('g', !h); this.#log?.error('i');",
  ],
  [
    'conditions that decide only about what is logged',
    'if (a && !b) { deps.log.warn(c); deps.log[d ? "e" : "f"](g); }',
  ],
  ['what an error says', "x = new AppError(a, 'b', c); y = new Error(`d ${e}`);"],
  [
    'the cause of an error and the field it is about',
    "x = new AppError('a', b ? 'c' : 'd', { cause: e ?? f, field: 'g' });",
  ],
  ['texts that are only passed on', "const x = f('a', { b: 'c' }, ['d']);"],
  ['sizes and times', 'const x = 64 * 1024; const y = 24 * 60 * 60 - 1;'],
  ['pauses', 'if (a > 1) await sleep(50 * a);'],
  ['how long a timer runs', 'const x = setTimeout(a, b * 2); const y = AbortSignal.timeout(c + d);'],
  ['that a timer does not keep the process alive', 'timer.unref(); a?.unref();'],
  ['questions for the platform', "const x = process.platform === 'win32';"],
  ['SQL', 'x = sql`SELECT 1 WHERE ${a} = 2`;'],
  ['names of properties', "x = { 'a-b': c };"],
])('%s: left alone', (_what, text) => {
  expect(becomes(text)).toEqual([]);
});

test('joined texts are not taken for a sum', () => {
  expect(becomes("x = 'a' + b;")).toEqual([]);
});

test('the name of a type stays, for another is no TypeScript', () => {
  expect(becomes("x = typeof a === 'string';")).toEqual(["x = typeof a !== 'string';"]);
});

test('a number in an error is changed: a client may use it', () => {
  expect(becomes('x = new AppError(a, b, { retryAfter: c - d });')).toEqual([
    'x = new AppError(a, b, { retryAfter: c + d });',
  ]);
});

test('methods that every object inherits are not taken for some, every, min or max', () => {
  expect(becomes('x = a.toString();')).toEqual([]);
});

test('texts are left alone where they are names of columns', () => {
  expect(becomes("const x = db.selectFrom('media').where('a', '=', b);")).toEqual([]);
});

test('a mutant knows its line, and the piece of code that it runs with', () => {
  const text = 'const f = (a) => {\n  if (a) {\n    check();\n  }\n};\nconst g = (b) => !b;';
  const places = mutantsOf(FILE, text).map(({ kind, line, piece }) => [kind, line, text.slice(piece, piece + 2)]);
  expect(places).toEqual([
    ['condition negated', 2, '{\n'],
    ['guard left out', 2, '{\n'],
    ['call left out', 3, '{\n'],
    ['negation left out', 6, '!b'],
  ]);
  const [outer, , inner] = mutantsOf(FILE, text);
  expect(outer?.piece).toBeLessThan(inner?.piece ?? 0);
});

test('instrumented code behaves as before, and records the pieces under the names that mutants use', async () => {
  const text = `
    const double = (a) => a * 2;
    const later = (a) => (b) => ({ sum: a + b });
    function pick(a) { if (a > 1) { return double(a); } return later(a)(1).sum; }
    const results = [pick(1), pick(3)];`;
  const noted: string[] = [];
  const code = instrumented(FILE, text, './hits.mjs').replace(/^import.*?;/, '');
  const results: unknown = runInNewContext(`${code}; results.join()`, { __hit: (id: string) => noted.push(id) });
  expect(results).toBe('2,6');
  const pieces = new Set(mutantsOf(FILE, text).map(({ file, piece }) => `${file}:${piece}`));
  expect([...pieces].filter((piece) => !noted.includes(piece))).toEqual([]);
  expect(noted).toContain(`${FILE}:0`);
});

test('a mutant is TypeScript, and anything else is reported', () => {
  const text = 'export async function f(a?: number): Promise<boolean> { await g(a ?? 1); return a !== 2 && !h; }';
  for (const mutant of mutantsOf(FILE, text)) expect(() => parse(FILE, mutated(text, mutant))).not.toThrow();
  expect(() => parse(FILE, 'if (')).toThrow('cannot be parsed');
});

const reach = (seconds: number, ...pieces: string[]) => ({ hash: '', seconds, passes: true, pieces });

test('the tests of the subject come first, then those that run little else, then short ones', () => {
  const [piece, other] = [`${FILE}:5`, `src/db/y.ts:1`];
  const coverage = new Map([
    ['test/http/slow.test.ts', reach(30, piece, other)],
    ['test/http/short.test.ts', reach(3, piece, other)],
    ['test/http/pure.test.ts', reach(3, piece)],
    ['test/domain/x.test.ts', reach(3, piece, other)],
    ['test/http/elsewhere.test.ts', reach(1, other)],
    ['test/http/broken.test.ts', { ...reach(1, piece), passes: false }],
  ]);
  const order = (budget: number) => choose({ file: FILE, piece: 5 }, coverage, budget);
  expect(order(60)).toEqual({
    reaching: 4,
    chosen: ['x', 'pure', 'short', 'slow'].map((name) => `test/${name === 'x' ? 'domain' : 'http'}/${name}.test.ts`),
  });
  expect(order(6).chosen).toEqual(['test/domain/x.test.ts', 'test/http/pure.test.ts']);
  expect(order(0)).toEqual({ reaching: 4, chosen: ['test/domain/x.test.ts'] });
});

test('a test is near that mirrors the folder and names the subject, in the plural, too', () => {
  expect(nearness('src/storage/s3/part-memory.ts', 'test/storage/s3/part-memory.test.ts')).toBe(3);
  expect(nearness('src/storage/s3/parts.ts', 'test/storage/s3/part-memory.test.ts')).toBe(3);
  expect(nearness('src/domain/runs/run-zip.ts', 'test/http/routes/runs.test.ts')).toBe(1);
  expect(nearness('src/domain/runs/run-zip.ts', 'test/http/routes/events.test.ts')).toBe(0);
});

test('a sample is the same for the same seed, differs for another, and is complete', () => {
  const items = Array.from({ length: 100 }, (_value, index) => index);
  expect(shuffled(items, 7)).toEqual(shuffled(items, 7));
  expect(shuffled(items, 8)).not.toEqual(shuffled(items, 7));
  expect(shuffled(items, 7).toSorted((a, b) => a - b)).toEqual(items);
});

test('invalid mutants count as neither, unreached ones have survived, an endless loop was caught', () => {
  const mutant: Mutant = { file: FILE, line: 1, kind: '', start: 0, end: 0, replacement: '', original: '', piece: 0 };
  const judged = (
    [
      { state: 'killed', by: 'a test' },
      { state: 'timed out' },
      { state: 'survived', ran: 1, reaching: 2 },
      { state: 'not reached' },
      { state: 'invalid' },
    ] as const
  ).map((verdict) => ({ mutant, verdict, seconds: 1 }));
  expect(summaryOf(judged)).toContain('4 mutants judged');
  expect(summaryOf(judged)).toContain('50.0 %');
  expect(summaryOf(judged.slice(4))).toContain('no score');
});
