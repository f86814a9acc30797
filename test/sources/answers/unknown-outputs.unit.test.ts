import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AnswerOutput } from '../../../src/sources/answers/answer.ts';
import { searchOutputs } from '../../../src/sources/answers/find-outputs.ts';
import { comfyui } from '../../../src/sources/providers/comfyui.ts';
import { fal } from '../../../src/sources/providers/fal.ts';
import { generic } from '../../../src/sources/providers/generic.ts';
import { openai } from '../../../src/sources/providers/openai.ts';
import { runpod } from '../../../src/sources/providers/runpod.ts';

const findOutputs = (answer: unknown) => searchOutputs(answer).outputs;
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const A = 'https://cdn.example.com/a.png';
const B = 'https://cdn.example.com/b.png';
const placesOf = (outputs: readonly AnswerOutput[]) =>
  outputs.map(({ from }) =>
    from.map((each) =>
      each.type === 'url' ? each.url : each.type === 'base64' ? each.data : 'path' in each && each.path,
    ),
  );
const runpodPlaces = (output: unknown, more: object = {}) =>
  placesOf(runpod.parse({ id: 'j', status: 'COMPLETED', output, ...more }).outputs);

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
  ['one file, said twice', { image: { url: A, base64: PNG } }, [[PNG, A]]],
  ['addresses in a list', { urls: [A, B] }, [[A], [B]]],
  ['camel case', { outputUrl: A, audioUrl: B }, [[A], [B]]],
])('runpod: %s', (_what, output, expected) => {
  expect(runpodPlaces(output)).toEqual(expected);
});

test('generic: scenes and textures are found by their ending, by the name of their field and by their first bytes', () => {
  const at = (name: string) => `https://cdn.example.com/${name}`;
  const exr = Buffer.from('762f3101'.padEnd(200, '0'), 'hex').toString('base64');
  const answer = { id: 'j', a: at('a.spz'), b: at('b.m2ts?x=1'), gaussian_splat: at('7'), usd: at('8'), it: exr };
  expect(placesOf(generic.parse(answer).outputs)).toEqual([
    [at('a.spz')],
    [at('b.m2ts?x=1')],
    [at('7')],
    [at('8')],
    [exr],
  ]);
});

test('runpod: images with a path are found under the field names of any handler', () => {
  const images = [
    { filename: 'a.png', type: 'network_volume', network_volume_path: '/runpod-volume/outputs/u/a.png' },
    { filename: 'b.png', s3_key: 'outputs/u/b.png' },
    { filename: 'c.png', path: 'outputs/u/c.png' },
    { filename: 'd.png', path: A },
  ];
  const expected = [['/runpod-volume/outputs/u/a.png'], ['outputs/u/b.png'], ['outputs/u/c.png'], [A]];
  expect(runpodPlaces({ images })).toEqual(expected);
  expect(runpodPlaces(undefined, { images })).toEqual(expected);
});

test('runpod: subfolder and file name form a path only when the parent folder is certain', () => {
  const entries = [
    { filename: 'a.png', subfolder: 'outputs/u' },
    { filename: 'b.png', subfolder: '/runpod-volume/outputs/u/' },
    { filename: 'c.png', subfolder: 'today' },
    { filename: 'd.png', subfolder: '' },
  ];
  expect(runpodPlaces({ network_volume_paths: entries })).toEqual([
    ['outputs/u/a.png'],
    ['/runpod-volume/outputs/u/b.png'],
  ]);
});

test('runpod: outputs of a custom handler are found under any name at the top level', () => {
  expect(placesOf(runpod.parse({ job_id: 'j', status: 'COMPLETED', image_url: A, webhook: B }).outputs)).toEqual([[A]]);
  expect(runpod.parse({ job_id: 'j', status: 'IN_PROGRESS', preview_url: A }).outputs).toEqual([]);
});

test('values of the request and facts about the job are not outputs', () => {
  const input = { image: A, prompt: 'like https://cdn.example.com/x.png' };
  expect(runpodPlaces({ status: 'ok', image: { seen: A } }, { input })).toEqual([]);
  expect(runpodPlaces({ input, init_image: B, log: B, logs: [B], webhook_url: B, status_url: B, prompt: B })).toEqual(
    [],
  );
  expect(runpodPlaces({ urls: { get: B, cancel: B }, source_image: B, error_url: B, metadata: { image: B } })).toEqual(
    [],
  );
  // Told as the input and again as something else, it is still the input.
  expect(runpodPlaces({ reference_image: B, image_used: B, result: A })).toEqual([[A]]);
  expect(
    runpodPlaces({ sha256: 'a'.repeat(64), text: 'See https://example.com/docs', homepage: 'https://example.com' }),
  ).toEqual([]);
});

test('fal: every URL of a file is an output', () => {
  const falPlaces = (payload: object) => placesOf(fal.parse({ request_id: 'r', status: 'OK', payload }).outputs);
  expect(falPlaces({ images: [A, B] })).toEqual([[A], [B]]);
  expect(falPlaces({ audio_url: A })).toEqual([[A]]);
  expect(
    falPlaces({ model_urls: { glb: { url: A, content_type: 'model/gltf-binary' } }, thumbnail: { url: B } }),
  ).toEqual([[A], [B]]);
  const wrapped = { data: { images: [{ url: A, file_name: 'a.png' }], seed: 5, prompt: 'a fox' }, requestId: 'r-2' };
  expect(falPlaces(wrapped)).toEqual([[A]]);
  expect(fal.parse(wrapped)).toMatchObject({
    id: 'r-2',
    prompt: 'a fox',
    generation: { seed: 5 },
    outputs: [{ filename: 'a.png' }],
  });
});

test('generic: `images` and `outputs` are merged, and synonyms of the states are understood', () => {
  const answer = generic.parse({ jobId: 'g', status: 'COMPLETED', outputs: [{ url: A }], images: [A, B] });
  expect([answer.state, ...placesOf(answer.outputs)]).toEqual(['succeeded', [A], [B]]);
  expect(placesOf(generic.parse({ status: 'succeeded', result: { image_url: A } }).outputs)).toEqual([[A]]);
});

test('openai-compatible APIs and comfyui-api: outputs in other fields are found', () => {
  const result = PNG.repeat(3).replaceAll('=', '');
  const response = { output: [{ type: 'image_generation_call', result, revised_prompt: 'a fox' }] };
  expect(placesOf(openai.parse(response).outputs)).toEqual([[result]]);
  expect(placesOf(comfyui.parse({ id: 'c', prompt: { 1: { inputs: { image: A } } }, videos: [B] }).outputs)).toEqual([
    [B],
  ]);
});

const NAMES = ['output', 'result', 'data', 'x', 'deep', '0', 'images', 'imageUrl'];

test('a URL with a media extension is found under any name except the input', () => {
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

test('the search of a very large or deep answer is bounded', () => {
  let deep: unknown = A;
  for (let level = 0; level < 50_000; level++) deep = [deep];
  expect(runpodPlaces(deep)).toEqual([]);
  expect(searchOutputs(deep).ignored).toMatchObject([{ reason: expect.stringContaining('nothing was read') }]);
  expect(findOutputs(Array.from({ length: 100_000 }, (_value, index) => `${A}?${index}`))).toHaveLength(5000);
});
