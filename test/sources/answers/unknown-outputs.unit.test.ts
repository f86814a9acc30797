import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AnswerOutput } from '../../../src/sources/answers/answer.ts';
import { findOutputs } from '../../../src/sources/answers/find-outputs.ts';
import { genericAnswer } from '../../../src/sources/answers/generic.ts';
import { ANSWERS } from '../../../src/sources/answers/providers.ts';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const A = 'https://cdn.example.com/a.png';
const B = 'https://cdn.example.com/b.png';
const placesOf = (outputs: readonly AnswerOutput[]) =>
  outputs.map(({ from }) =>
    from.map((each) =>
      each.type === 'url' ? each.url : each.type === 'base64' ? each.data : 'path' in each && each.path,
    ),
  );
const runpod = (output: unknown, more: object = {}) =>
  placesOf(ANSWERS.runpod({ id: 'j', status: 'COMPLETED', output, ...more }).outputs);

test.each([
  ['a list of addresses', { image_urls: [A, B] }, [[A], [B]]],
  ['one result', { result: A, seed: 7 }, [[A]]],
  ['results', { result: [A, { url: B }] }, [[A], [B]]],
  ['an address', { url: A }, [[A]]],
  [
    'an address of another name',
    { output_url: 'https://cdn.example.com/files/77' },
    [['https://cdn.example.com/files/77']],
  ],
  ['audio in base64', { audio_base64: PNG }, [[PNG]]],
  ['a data URI under any name', { it: `data:image/png;base64,${PNG}` }, [[`data:image/png;base64,${PNG}`]]],
  ['what a generator has yielded', [{ images: [{ data: PNG }] }, { images: [B] }], [[PNG], [B]]],
  ['the same, wrapped', [{ output: { images: [A] } }, { output: { image_url: B } }], [[A], [B]]],
  ['one file, said twice', { image: { url: A, base64: PNG } }, [[A, PNG]]],
  ['addresses in a list', { urls: [A, B] }, [[A], [B]]],
  ['camel case', { outputUrl: A, audioUrl: B }, [[A], [B]]],
])('runpod: %s', (_what, output, expected) => {
  expect(runpod(output)).toEqual(expected);
});

test('runpod: images that say where they lie, in the names of any handler', () => {
  const images = [
    { filename: 'a.png', type: 'network_volume', network_volume_path: '/runpod-volume/outputs/u/a.png' },
    { filename: 'b.png', s3_key: 'outputs/u/b.png' },
    { filename: 'c.png', path: 'outputs/u/c.png' },
    { filename: 'd.png', path: A },
  ];
  const expected = [['/runpod-volume/outputs/u/a.png'], ['outputs/u/b.png'], ['outputs/u/c.png'], [A]];
  expect(runpod({ images })).toEqual(expected);
  expect(runpod(undefined, { images })).toEqual(expected);
});

test('runpod: a folder and a name are a path where it is clear below what', () => {
  const entries = [
    { filename: 'a.png', subfolder: 'outputs/u' },
    { filename: 'b.png', subfolder: '/runpod-volume/outputs/u/' },
    { filename: 'c.png', subfolder: 'today' },
    { filename: 'd.png', subfolder: '' },
  ];
  expect(runpod({ network_volume_paths: entries })).toEqual([['outputs/u/a.png'], ['/runpod-volume/outputs/u/b.png']]);
});

test('a handler of one’s own that names its outputs as it likes at the top', () => {
  expect(placesOf(ANSWERS.runpod({ job_id: 'j', status: 'COMPLETED', image_url: A, webhook: B }).outputs)).toEqual([
    [A],
  ]);
  expect(ANSWERS.runpod({ job_id: 'j', status: 'IN_PROGRESS', preview_url: A }).outputs).toEqual([]);
});

test('nothing of the request, and nothing about the work, is an output', () => {
  const input = { image: A, prompt: 'like https://cdn.example.com/x.png' };
  expect(runpod({ status: 'ok', image: { seen: A } }, { input })).toEqual([]);
  expect(runpod({ input, init_image: B, log: B, logs: [B], webhook_url: B, status_url: B, prompt: B })).toEqual([]);
  expect(runpod({ urls: { get: B, cancel: B }, source_image: B, error_url: B, metadata: { image: B } })).toEqual([]);
  // Told as the input and again as something else, it is still the input.
  expect(runpod({ reference_image: B, image_used: B, result: A })).toEqual([[A]]);
  expect(
    runpod({ sha256: 'a'.repeat(64), text: 'See https://example.com/docs', homepage: 'https://example.com' }),
  ).toEqual([]);
});

test('fal: whatever is the address of a file', () => {
  const fal = (payload: object) => placesOf(ANSWERS.fal({ request_id: 'r', status: 'OK', payload }).outputs);
  expect(fal({ images: [A, B] })).toEqual([[A], [B]]);
  expect(fal({ audio_url: A })).toEqual([[A]]);
  expect(fal({ model_urls: { glb: { url: A, content_type: 'model/gltf-binary' } }, thumbnail: { url: B } })).toEqual([
    [A],
    [B],
  ]);
  const wrapped = { data: { images: [{ url: A, file_name: 'a.png' }], seed: 5, prompt: 'a fox' }, requestId: 'r-2' };
  expect(fal(wrapped)).toEqual([[A]]);
  expect(ANSWERS.fal(wrapped)).toMatchObject({
    id: 'r-2',
    prompt: 'a fox',
    generation: { seed: 5 },
    outputs: [{ filename: 'a.png' }],
  });
});

test('generic: images beside outputs, each once, and words that others use for its states', () => {
  const answer = genericAnswer({ jobId: 'g', status: 'COMPLETED', outputs: [{ url: A }], images: [A, B] });
  expect([answer.state, ...placesOf(answer.outputs)]).toEqual(['succeeded', [A], [B]]);
  expect(placesOf(genericAnswer({ status: 'succeeded', result: { image_url: A } }).outputs)).toEqual([[A]]);
});

test('openai’s language and comfyui-api: outputs in other fields', () => {
  const result = PNG.repeat(3).replaceAll('=', '');
  const response = { output: [{ type: 'image_generation_call', result, revised_prompt: 'a fox' }] };
  expect(placesOf(ANSWERS.openai(response).outputs)).toEqual([[result]]);
  expect(placesOf(ANSWERS.comfyui({ id: 'c', prompt: { 1: { inputs: { image: A } } }, videos: [B] }).outputs)).toEqual([
    [B],
  ]);
});

const NAMES = ['output', 'result', 'data', 'x', 'deep', '0', 'images', 'imageUrl'];

test('an address that ends as media do is found wherever it stands, but never below the input', () => {
  const paths = fc.array(fc.oneof(fc.constantFrom(...NAMES), fc.constant(0)), { maxLength: 8 });
  fc.assert(
    fc.property(paths, fc.jsonValue(), (names, other) => {
      const nest = (value: unknown) =>
        names.reduceRight<unknown>((inner, name) => (name === 0 ? [inner] : { [name]: inner }), value);
      expect(placesOf(findOutputs(nest(A)))).toEqual([[A]]);
      expect(findOutputs({ input: nest(A) })).toEqual([]);
      expect(findOutputs(nest({ input: A, image: A }))).toEqual([]);
      for (const output of findOutputs(other)) expect(output.from.length).toBeGreaterThan(0);
    }),
  );
});

test('an answer of any size and depth is looked at only so far', () => {
  let deep: unknown = A;
  for (let level = 0; level < 50_000; level++) deep = [deep];
  expect(runpod(deep)).toEqual([]);
  expect(findOutputs(Array.from({ length: 100_000 }, (_value, index) => `${A}?${index}`))).toHaveLength(5000);
});
