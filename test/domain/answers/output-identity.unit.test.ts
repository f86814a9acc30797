import fc from 'fast-check';
import { expect, test } from 'vitest';
import { identifyOutputs, matchOutputs } from '../../../src/domain/answers/output-identity.ts';
import type { AnswerOutput } from '../../../src/sources/answers/answer.ts';

const object = (path: string): AnswerOutput => ({ from: [{ type: 'object', path }] });
const url = (address: string): AnswerOutput => ({ from: [{ type: 'url', url: address }] });
const bytes = (data: string, filename?: string, subfolder?: string): AnswerOutput => ({
  from: [{ type: 'base64', data: Buffer.from(data).toString('base64') }],
  filename,
  subfolder,
});

const shown = (filename: string, subfolder: string, node = '9', fileType = 'output'): AnswerOutput => ({
  from: [{ type: 'comfyui', node, filename, subfolder, fileType }],
});

/** Records the outputs of one job call by call, in memory. Returns the number of items. */
async function told(...calls: AnswerOutput[][]): Promise<number> {
  const known = new Map<string, Set<string>>();
  for (const outputs of calls) {
    const identities = await identifyOutputs(outputs);
    for (const [index, match] of matchOutputs(identities, known).entries()) {
      const id = match ?? String(known.size + 1);
      known.set(id, new Set([...(known.get(id) ?? []), ...(identities[index] ?? [])]));
    }
  }
  return known.size;
}

test.each([
  ['the same key', [[object('a/b.png')], [object('a/b.png')]], 1],
  [
    'a key and a path under the mount point',
    [[object('outputs/u/b.png')], [object('/runpod-volume/outputs/u/b.png')]],
    1,
  ],
  [
    'paths under a mount point first, then the keys of two files of one name',
    [
      [object('/runpod-volume/outputs/u/x/b.png'), object('/runpod-volume/outputs/u/y/b.png')],
      [object('outputs/u/y/b.png'), object('outputs/u/x/b.png')],
    ],
    2,
  ],
  ['equal names in different folders', [[object('x/a.png')], [object('y/a.png')]], 2],
  [
    'a URL with a new signature',
    [[url('https://h/a.png?X-Amz-Signature=1&X-Amz-Date=2')], [url('https://h/a.png?X-Amz-Signature=3')]],
    1,
  ],
  ['two URLs', [[url('https://h/a.png')], [url('https://h/b.png')]], 2],
  ['the same bytes with and without a name', [[bytes('x', 'a.png')], [bytes('x')]], 1],
  ['equal names, different bytes', [[bytes('x', 'a.png')], [bytes('y', 'a.png')]], 2],
  ['equal bytes twice in one answer', [[bytes('x', 'a.png', ''), bytes('x', 'b.png', '')]], 2],
  [
    'the same again',
    [
      [bytes('x', 'a.png', ''), bytes('x', 'b.png', '')],
      [bytes('x', 'b.png', ''), bytes('x', 'a.png', '')],
    ],
    2,
  ],
  [
    'a file of a node and the URL that shows it',
    [[bytes('x', 'a.png', 's')], [url('http://c/view?filename=a.png&subfolder=s&type=output')]],
    1,
  ],
  [
    'the same name in another subfolder',
    [[bytes('x', 'a.png', 's')], [url('http://c/view?filename=a.png&subfolder=t&type=output')]],
    2,
  ],
  [
    "a file of ComfyUI's history and the URL that shows it",
    [[shown('a.png', 's')], [url('http://c/view?filename=a.png&subfolder=s&type=output')]],
    1,
  ],
  [
    "a file of ComfyUI's history and the URL of another folder",
    [[shown('a.png', 's')], [url('http://c/view?filename=a.png&subfolder=t&type=output')]],
    2,
  ],
  ["a file of ComfyUI's history twice", [[shown('a.png', 's')], [shown('a.png', 's')]], 1],
  ["a file of ComfyUI's history, then its name with the bytes", [[shown('a.png', 's')], [bytes('x', 'a.png')]], 1],
  ["a file of ComfyUI's history, then another name", [[shown('a.png', 's')], [bytes('x', 'b.png')]], 2],
  ['a chunk by its name, then a path', [[bytes('x', 'a.png')], [object('/v/outputs/u/a.png')]], 1],
  [
    'a name that two items have decides nothing',
    [[bytes('x', 'a.png', '1'), bytes('y', 'a.png', '2')], [object('/v/u/a.png')]],
    3,
  ],
] as const)('%s', async (_name, calls, items) => {
  expect(await told(...(calls as unknown as AnswerOutput[][]))).toBe(items);
});

test('the same outputs, repeated in any order, are the same items', async () => {
  const output = fc.oneof(
    fc.constantFrom('a', 'b', 'c').map((name) => object(`outputs/u/${name}.png`)),
    fc.constantFrom('d', 'e').map((name) => url(`https://h/${name}.png`)),
    fc.constantFrom('f', 'g').map((data) => bytes(data, `${data}.png`, '')),
  );
  const calls = fc.array(fc.uniqueArray(output, { selector: (each) => JSON.stringify(each), minLength: 1 }), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(calls, async (all) => {
      const different = new Set(all.flat().map((each) => JSON.stringify(each))).size;
      expect(await told(...all)).toBe(different);
      expect(await told(...all, ...all.toReversed())).toBe(different);
    }),
  );
});

test('for any text, identities are short enough for an index and contain only storable characters', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 3000 }), async (text) => {
      const outputs = [object(text), url(text), url(`https://h/${text}`), bytes(text, text, text)];
      for (const identity of (await identifyOutputs(outputs)).flat()) {
        expect(Buffer.byteLength(identity)).toBeLessThanOrEqual(1100);
        expect(identity.includes('\0')).toBe(false);
      }
    }),
  );
});

test('a thousand outputs with equal names are matched quickly in a job with many outputs', async () => {
  const many = (length: number, from: number) =>
    identifyOutputs(Array.from({ length }, (_value, at) => url(`https://h/${at + from}/a.png`)));
  const outputs = await many(1000, 0);
  const known = new Map((await many(3000, 500)).map((identities, at) => [String(at), new Set(identities)]));
  const started = performance.now();
  expect(matchOutputs(outputs, known).filter((match) => match !== undefined)).toHaveLength(500);
  // Quadratic work took minutes; this is not a measurement.
  expect(performance.now() - started).toBeLessThan(5000);
});

test('each item is at most one output: of two equal outputs the second is new, whatever decides', () => {
  const known = (...identities: string[]) => new Map([['1', new Set(identities)]]);
  for (const identity of ['sha256:abc', 'object:a/b.png', 'name:a.png'])
    expect(matchOutputs([[identity], [identity]], known(identity))).toEqual(['1', undefined]);
  const two = new Map([
    ['1', new Set(['sha256:abc', 'name:a.png'])],
    ['2', new Set(['sha256:abc', 'name:b.png'])],
  ]);
  const outputs = [['sha256:abc'], ['sha256:abc'], ['sha256:abc']];
  const matches = matchOutputs(outputs, two);
  expect(matches).toHaveLength(3);
  expect(new Set(matches)).toEqual(new Set(['1', '2', undefined]));
});

test('a name decides only when one item has it and no stronger identity did', () => {
  const known = new Map([
    ['1', new Set(['name:a.png'])],
    ['2', new Set(['name:a.png'])],
    ['3', new Set(['name:b.png', 'sha256:abc'])],
  ]);
  expect(matchOutputs([['name:a.png']], known)).toEqual([undefined]);
  expect(matchOutputs([['name:b.png']], known)).toEqual(['3']);
  expect(matchOutputs([['name:b.png'], ['sha256:abc']], known)).toEqual([undefined, '3']);
});

test("of files with one folder and name, ComfyUI's node and kind decide which is meant", async () => {
  const files = [shown('a.png', 's', '9', 'temp'), shown('a.png', 's', '9'), shown('a.png', 's', '3')];
  const identities = await identifyOutputs(files);
  const known = new Map(identities.map((each, at) => [String(at), new Set(each)]));
  expect(matchOutputs(identities, known)).toEqual(['0', '1', '2']);
  expect(matchOutputs(identities.toReversed(), known)).toEqual(['2', '1', '0']);
  expect(matchOutputs(identities.slice(1), known)).toEqual(['1', '2']);
});
