import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytes, utf8, zeros } from '../bytes.ts';
import { generationIn, said } from '../judge.ts';
import { riffChunk } from '../made-images.ts';
import * as tags from '../made-tags.ts';
import * as t from '../made-texts.ts';
import { box, fullBox } from '../made-video.ts';
import * as made from './made-dialects.ts';
import * as settings from './made-settings.ts';
import { A1111, COMFY_GRAPH, DRAW_THINGS_XMP, FOOOCUS, NOVELAI_COMMENT, SWARMUI } from './made-generations.ts';

const json = (value: unknown) => JSON.stringify(value);
const unicode = (value: unknown) => t.exif({ UserComment: t.unicodeComment(json(value)) });
const pngTexts = (texts: Readonly<Record<string, string>>) =>
  t.pngOf(...Object.entries(texts).map(([name, text]) => t.iTXt(name, text)));
const mp4Tag = (name: string, text: string) => {
  const keys = fullBox('keys', [0, 0, 0, 1], box('mdta', name));
  const list = box('ilst', box('\0\0\0\x01', box('data', [0, 0, 0, 1], zeros(4), utf8(text))));
  const handler = fullBox('hdlr', zeros(4), 'mdta', zeros(13));
  return bytes(box('ftyp', 'isom', zeros(4)), box('moov', fullBox('meta', handler, keys, list)));
};

const files: readonly (readonly [name: string, ext: string, file: Uint8Array, expected: object])[] = [
  ['RuinedFooocus, PNG', 'png', pngTexts({ parameters: json(settings.RUINED) }), settings.RUINED_SAYS],
  ['RuinedFooocus, MP4', 'mp4', mp4Tag('metadata', json(settings.RUINED)), settings.RUINED_SAYS],
  ['Fooocus-MRE, PNG', 'png', pngTexts({ Comment: json(settings.MRE) }), settings.MRE_SAYS],
  ['Fooocus-MRE, JPEG comment', 'jpg', t.jpegOf(t.segment(0xfe, utf8(json(settings.MRE)))), settings.MRE_SAYS],
  ['Fooocus-MRE, WebP', 'webp', t.webpOf(8, riffChunk('EXIF', unicode(settings.MRE))), settings.MRE_SAYS],
  ['Easy Diffusion, PNG, a text for each', 'png', pngTexts(settings.textsOf(settings.EASY)), settings.EASY_SAYS],
  [
    'Easy Diffusion, PNG, as people read it',
    'png',
    pngTexts(settings.textsOf(settings.EASY_READABLE)),
    settings.EASY_SAYS,
  ],
  ['Easy Diffusion, JPEG', 'jpg', t.jpegOf(t.exifSegment(unicode(settings.EASY))), settings.EASY_SAYS],
  [
    'Easy Diffusion, WebP, as people read it',
    'webp',
    t.webpOf(8, riffChunk('EXIF', unicode(settings.EASY_READABLE))),
    settings.EASY_SAYS,
  ],
  ['a space of Hugging Face', 'png', pngTexts({ parameters: json(settings.SPACE) }), settings.SPACE_SAYS],
  [
    'TensorArt',
    'png',
    pngTexts({ prompt: json(COMFY_GRAPH), generation_data: `${json(settings.TENSOR)}\0\0` }),
    settings.TENSOR_SAYS,
  ],
  [
    'Stability Matrix',
    'png',
    pngTexts({ prompt: json(COMFY_GRAPH), parameters: A1111, 'parameters-json': json(settings.MATRIX) }),
    settings.MATRIX_SAYS,
  ],
  [
    'Civitai, settings beside the graph',
    'png',
    pngTexts({ prompt: json(COMFY_GRAPH), extraMetadata: json(settings.CIVITAI) }),
    settings.CIVITAI_SAYS,
  ],
  [
    'Civitai, a graph as EXIF',
    'jpg',
    t.jpegOf(t.exifSegment(unicode(COMFY_GRAPH))),
    { source: 'comfyui', seed: 156680208700286, hasWorkflow: true },
  ],
  ['Midjourney, PNG', 'png', pngTexts({ Description: made.MIDJOURNEY, Author: 'x' }), made.MIDJOURNEY_SAYS],
  [
    'Midjourney, JPEG',
    'jpg',
    t.jpegOf(t.exifSegment(t.exif({ ImageDescription: made.MIDJOURNEY }))),
    made.MIDJOURNEY_SAYS,
  ],
  ['NovelAI, characters', 'png', pngTexts({ Software: 'NovelAI', Comment: json(made.NOVEL) }), made.NOVEL_SAYS],
  ['NovelAI, the comment itself as EXIF', 'jpg', t.jpegOf(t.exifSegment(unicode(made.NOVEL))), made.NOVEL_SAYS],
  [
    'SwarmUI, the camera model',
    'jpg',
    t.jpegOf(t.exifSegment(t.exif({ Model: json(SWARMUI) }))),
    { source: 'swarmui', seed: 1246518281 },
  ],
  [
    'None beside a comment',
    'png',
    pngTexts({ parameters: 'None', Comment: A1111 }),
    { source: 'automatic1111', seed: 2870305590 },
  ],
  [
    'a tool that is not known, GIF-like comment',
    'jpg',
    t.jpegOf(t.segment(0xfe, json(made.UNKNOWN))),
    made.UNKNOWN_SAYS,
  ],
  [
    'a tool that is not known, the description',
    'jpg',
    t.jpegOf(t.exifSegment(t.exif({ ImageDescription: json(made.UNKNOWN) }))),
    made.UNKNOWN_SAYS,
  ],
];

test.each(files)('%s', (_name, ext, file, expected) => {
  for (const chunk of [1_000_000, 100]) expect(generationIn(file, ext, chunk)).toMatchObject(expected);
});

test('Draw Things is read from the XMP of a GIF, and is not taken for NovelAI in a comment', () => {
  const file = tags.gifOf([], [tags.gifXmp(DRAW_THINGS_XMP)]);
  for (const chunk of [1_000_000, 10])
    expect(generationIn(file, 'gif', chunk)).toMatchObject({ source: 'drawthings', seed: 4096 });
  const UserComment = json({ c: 'a fox', uc: 'noise', sampler: 'Euler A', seed: 5, steps: 3 });
  expect(said({ UserComment })).toMatchObject({ source: 'drawthings', prompt: 'a fox', negativePrompt: 'noise' });
});

test("a tool's name is not its version", () => {
  expect(said({ parameters: json(settings.RUINED) })).not.toHaveProperty('version');
});

describe('the name of a model', () => {
  const model = (path: string) =>
    said({ UserComment: json({ ...settings.EASY, use_stable_diffusion_model: path, use_vae_model: path }) });
  test.each([
    ['C:\\Users\\me\\models\\deep\\sd-v1-5.ckpt', 'sd-v1-5.ckpt'],
    ['D:/models/sd-v1-5.ckpt', 'sd-v1-5.ckpt'],
    ['\\\\server\\share\\sd-v1-5.ckpt', 'sd-v1-5.ckpt'],
    ['/home/me/models/sd-v1-5.ckpt', 'sd-v1-5.ckpt'],
    ['stabilityai/sdxl', 'stabilityai/sdxl'],
    ['sd-v1-5', 'sd-v1-5'],
  ])('%s', (path, name) => expect(model(path)).toMatchObject({ model: name, vae: name }));

  test('is missing where Python wrote None', () => {
    expect(model('None')).not.toHaveProperty('model');
    expect(model('None')).not.toHaveProperty('vae');
  });
});

test.each([
  ['832 x 1216', '832x1216'],
  ['832x1216', '832x1216'],
  ['832   x   1216', '832x1216'],
  ['(832, 1216)', '832x1216'],
  ['832×1216', '832x1216'],
  ['832', undefined],
  ['wide', undefined],
])('a resolution of %s is %s', (resolution, size) => {
  expect(said({ parameters: json({ ...settings.SPACE, resolution }) })?.size).toBe(size);
});

test.each([
  ['a list', ['/m/a.safetensors', 'b'], [0.5, 1]],
  ['names with commas between', '/m/a.safetensors, b', '0.5, 1'],
  ["Python's list", "['/m/a.safetensors', 'b']", '[0.5, 1]'],
])('LoRAs of Easy Diffusion as %s', (_name, use_lora_model, lora_alpha) => {
  const found = said({ UserComment: json({ ...settings.EASY, use_lora_model, lora_alpha }) });
  expect(found?.loras).toEqual([
    { name: 'a.safetensors', weight: 0.5 },
    { name: 'b', weight: 1 },
  ]);
});

test('no LoRA is called None', () => {
  const none = {
    use_lora_model: 'None',
    lora_alpha: 'None',
    l1: 'None',
    w1: 1,
    loras: [['None', 1], { name: 'None' }, null, 5],
  };
  expect(said({ UserComment: json({ ...settings.EASY, ...none }) })).not.toHaveProperty('loras');
});

describe('what a known tool wrote goes before', () => {
  const unknown = json(made.UNKNOWN);
  test.each([
    ['a graph', { prompt: json(COMFY_GRAPH), Comment: unknown }, 'comfyui'],
    ['an infotext', { parameters: A1111, Comment: unknown }, 'automatic1111'],
    ["Fooocus's own", { parameters: json(FOOOCUS), Comment: unknown }, 'fooocus'],
    ["NovelAI's", { Software: 'NovelAI', Comment: json(NOVELAI_COMMENT), metadata: unknown }, 'novelai'],
  ])('settings of an unknown one: %s', (_name, texts, source) => {
    expect(said(texts as Record<string, string>)?.source).toBe(source);
  });
});

test.each([
  ['a prompt alone', { prompt: 'a' }],
  ['numbers alone', { seed: 5, steps: 5 }],
  ['a seed that is a word', { prompt: 'a', seed: 'random' }],
  ['a prompt that is an object', { prompt: { a: 1 }, seed: 5 }],
  ['the settings of a camera', { width: 5, height: 5, model: 'D90' }],
])('JSON with %s says nothing', (_name, object) => {
  expect(said({ Comment: json(object), comment: json(object), metadata: json(object) })).toBeNull();
});

test('any texts are read without an error, and what is found can be stored', () => {
  const names = [
    'parameters',
    'Comment',
    'comment',
    'UserComment',
    'COM',
    'metadata',
    'Dream',
    'Description',
    'Model',
    'extras',
  ];
  const more = [
    'generation_data',
    'parameters-json',
    'extraMetadata',
    'use_stable_diffusion_model',
    'Stable Diffusion model',
    'XMP',
  ];
  const object = fc.dictionary(
    fc.constantFrom(...settings.NAMES),
    fc.oneof(fc.jsonValue(), fc.constantFrom('None', '5', 5, null)),
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    object.map(json),
    fc.constantFrom(...settings.TEXTS, made.MIDJOURNEY, json(made.NOVEL)),
    fc.json(),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names, ...more), text), (texts) => {
      const found = json(said(texts));
      expect(found).not.toContain('could not be read');
      expect(found).not.toContain('\\u0000');
      expect(found.length).toBeLessThan(48 * 1024);
    }),
    { numRuns: 2000 },
  );
});
