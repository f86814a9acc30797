import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GenerationData } from '../../../src/media/generation/generation-data.ts';
import { mediaTypeByExtension } from '../../../src/media/media-type.ts';
import { be16, be32, bytes, le32, utf8, zeros } from '../bytes.ts';
import { inspectFile } from '../judge.ts';
import * as made from './made-generations.ts';
import { pngChunk, riffChunk } from '../made-images.ts';
import * as t from '../made-texts.ts';
import { box, fullBox } from '../made-video.ts';

function generationIn(file: Uint8Array, ext: string, chunk = 1024): GenerationData | null {
  const result = inspectFile(file, mediaTypeByExtension(ext)!, chunk);
  if (typeof result === 'string') throw new Error(result);
  return result.generation;
}

const A1111 = {
  source: 'automatic1111',
  prompt: 'a red fox in the snow, <lora:winter_v2:0.8>, (detailed:1.2)\nsecond line',
  negativePrompt: 'blurry, watermark',
  seed: 2870305590,
  steps: 20,
  sampler: 'DPM++ 2M',
  scheduler: 'Karras',
  cfgScale: 7,
  denoise: 0.35,
  clipSkip: 2,
  model: 'v1-5-pruned-emaonly',
  modelHash: '6ce0161689',
  vae: 'vae-ft-mse.safetensors',
  width: 512,
  height: 768,
  size: '512x768',
  loras: [{ name: 'winter_v2', weight: 0.8 }],
  version: 'v1.10.1',
  parameters: {
    'Lora hashes': 'winter_v2: 25ec7a9d14f5, other: aaaa',
    'Hires prompt': 'a "quoted" fox, at night',
  },
};
const COMFY = {
  source: 'comfyui',
  prompt: 'a glass bottle with a galaxy in it\nstudio light',
  negativePrompt: 'text, watermark',
  seed: 156680208700286,
  steps: 20,
  sampler: 'euler',
  scheduler: 'normal',
  cfgScale: 8,
  denoise: 1,
  model: 'sd_xl_base_1.0.safetensors',
  width: 1024,
  height: 768,
  size: '1024x768',
  loras: [{ name: 'galaxy.safetensors', weight: 0.7 }],
  hasWorkflow: true,
};
const INVOKE = {
  source: 'invokeai',
  prompt: 'a bowl of fruit',
  negativePrompt: 'plastic',
  seed: 3214741951,
  sampler: 'dpmpp_2m_sde_k',
  model: 'Juggernaut XL v9',
  modelHash: 'blake3:0f2c',
  size: '832x1216',
  loras: [{ name: 'detail-tweaker', weight: 0.75 }],
  version: '5.6.0',
};
const NOVEL = {
  source: 'novelai',
  prompt: '1girl, watercolor',
  negativePrompt: 'lowres, bad hands',
  seed: 1330847652,
  steps: 28,
  sampler: 'k_euler_ancestral',
  scheduler: 'karras',
  cfgScale: 5,
  model: 'NovelAI Diffusion V4',
  modelHash: '37442FCA',
  size: '832x1216',
};
const FOOOCUS = {
  source: 'fooocus',
  prompt: 'a harbour',
  negativePrompt: 'ugly',
  // Beyond 2^53, so as a text.
  seed: '5301354317943459000',
  model: 'juggernautXL_v8Rundiffusion',
  size: '1152x896',
  cfgScale: 4,
  loras: [{ name: 'sd_xl_offset_example-lora_1.0', weight: 0.1 }],
  version: 'Fooocus v2.5.5',
};
const SWARM = {
  source: 'swarmui',
  prompt: 'a clock tower',
  negativePrompt: 'people',
  seed: 1246518281,
  model: 'OfficialStableDiffusion/sd_xl_base_1.0',
  modelHash: '0x31e35c80fc',
  size: '1024x1024',
  loras: [{ name: 'towers', weight: 0.6 }],
};
const DRAW = {
  source: 'drawthings',
  prompt: 'a fox & a "hare"',
  negativePrompt: 'noise',
  seed: 4096,
  sampler: 'Euler A Trailing',
  model: 'flux_1_schnell_q5p.ckpt',
  size: '896x1152',
  loras: [{ name: 'hare_lora_f16.ckpt', weight: 0.5 }],
};
const C2PA_UUID = 'd8fec3d61b0e483c92975828877ec481';
const json = (value: unknown) => JSON.stringify(value);
const exifWebp = (values: Parameters<typeof t.exif>[0]) => t.webpOf(0x08, riffChunk('EXIF', t.exif(values)));
const novelTexts = {
  Title: 'NovelAI generated image',
  Description: '1girl, watercolor',
  Software: 'NovelAI',
  Source: 'NovelAI Diffusion V4 37442FCA',
  Comment: json(made.NOVELAI_COMMENT),
};

const tag = (name: string | Uint8Array, text: string) =>
  box(
    typeof name === 'string' ? name : Buffer.from(name).toString('latin1'),
    box('data', be32(1), zeros(4), utf8(text)),
  );
const keys = (...names: string[]) =>
  fullBox('keys', be32(names.length), ...names.map((name) => bytes(be32(8 + name.length), 'mdta', name)));
const film = (...boxes: Uint8Array[]) =>
  bytes(
    box('ftyp', 'isom', zeros(4)),
    box('moov', fullBox('mvhd', zeros(8), be32(600), be32(1500), zeros(80)), ...boxes),
  );
const flacHead = bytes('fLaC', [0, 0, 0, 34], zeros(34));
const comment = utf8(`PROMPT=${json(made.COMFY_GRAPH)}`);
const vorbis = bytes(le32(4), 'test', le32(1), le32(comment.length), comment);

/** An AVIF with one item of words behind its pixels. */
function avif(words: Uint8Array, type: string): Uint8Array {
  const infe = (item: number, itemType: string) => box('infe', [2, 0, 0, 0], be16(item), be16(0), itemType, 0);
  const place = (item: number, offset: number, length: number) =>
    bytes(be16(item), be16(0), be16(1), be32(offset), be32(length));
  const at = (offset: number) => {
    const properties = box('iprp', box('ipco', fullBox('ispe', be32(640), be32(480))));
    const items = fullBox('iinf', be16(2), infe(1, 'av01'), infe(2, type));
    const places = fullBox('iloc', [0x44, 0], be16(2), place(2, offset + 30, words.length), place(1, offset, 30));
    return bytes(
      box('ftyp', 'avif', zeros(4), 'mif1'),
      fullBox('meta', fullBox('pitm', be16(1)), items, places, properties),
    );
  };
  return bytes(at(at(0).length + 8), box('mdat', zeros(30), words));
}

const files: readonly (readonly [name: string, ext: string, file: Uint8Array, expected: object])[] = [
  ['AUTOMATIC1111, PNG', 'png', t.pngOf(t.tEXt('parameters', made.A1111)), A1111],
  ['AUTOMATIC1111, PNG, compressed', 'png', t.pngOf(t.zTXt('parameters', made.A1111)), A1111],
  [
    'AUTOMATIC1111, JPEG, UTF-16',
    'jpg',
    t.jpegOf(t.exifSegment(t.exif({ UserComment: t.unicodeComment(made.A1111) }))),
    A1111,
  ],
  ['AUTOMATIC1111, WebP, UTF-16', 'webp', exifWebp({ UserComment: t.unicodeComment(made.A1111, 'le') }), A1111],
  ['AUTOMATIC1111, JPEG comment', 'jpg', t.jpegOf(t.segment(0xfe, made.A1111)), A1111],
  ['a prompt without settings', 'png', t.pngOf(t.tEXt('parameters', 'just a fox')), { prompt: 'just a fox' }],
  ['ComfyUI, PNG', 'png', t.pngOf(t.tEXt('prompt', json(made.COMFY_GRAPH)), t.tEXt('workflow', '{}')), COMFY],
  [
    'ComfyUI, Flux, with NaN and a seed of 20 digits',
    'png',
    t.pngOf(t.tEXt('prompt', made.FLUX_GRAPH_JSON)),
    {
      source: 'comfyui',
      prompt: 'a fox made of ice\na fox',
      seed: '18446744073709551615',
      steps: 28,
      sampler: 'euler',
      scheduler: 'simple',
      cfgScale: 3.5,
      model: 'flux1-dev.safetensors',
      vae: 'ae.safetensors',
      size: '1216x832',
    },
  ],
  [
    'ComfyUI, WebP',
    'webp',
    exifWebp({ Make: `workflow:${json(made.COMFY_WORKFLOW)}`, Model: `prompt:${json(made.COMFY_GRAPH)}` }),
    COMFY,
  ],
  [
    "ComfyUI, the editor's workflow alone",
    'png',
    t.pngOf(t.tEXt('workflow', json(made.COMFY_WORKFLOW))),
    {
      source: 'comfyui',
      prompt: 'a lighthouse',
      seed: 42,
      steps: 25,
      cfgScale: 6.5,
      sampler: 'dpmpp_2m',
      scheduler: 'karras',
      model: 'dreamshaper_8.safetensors',
      size: '640x960',
    },
  ],
  ['InvokeAI', 'png', t.pngOf(t.pngText('invokeai_metadata', json(made.INVOKEAI))), INVOKE],
  [
    'InvokeAI 2',
    'png',
    t.pngOf(t.tEXt('sd-metadata', json(made.INVOKEAI_OLD))),
    { source: 'invokeai', prompt: 'a castle', negativePrompt: 'fog, rain', seed: 99, modelHash: 'cc6cb271' },
  ],
  ['NovelAI, PNG', 'png', t.pngOf(...Object.entries(novelTexts).map(([k, v]) => t.tEXt(k, v))), NOVEL],
  ['NovelAI, WebP', 'webp', exifWebp({ UserComment: bytes('ASCII\0\0\0', utf8(json(novelTexts))) }), NOVEL],
  [
    'Fooocus, PNG',
    'png',
    t.pngOf(t.tEXt('parameters', json(made.FOOOCUS)), t.tEXt('fooocus_scheme', 'fooocus')),
    FOOOCUS,
  ],
  [
    "Fooocus, PNG, in AUTOMATIC1111's way",
    'png',
    t.pngOf(t.tEXt('parameters', made.A1111), t.tEXt('fooocus_scheme', 'a1111')),
    { ...A1111, source: 'fooocus' },
  ],
  [
    'Fooocus, JPEG',
    'jpg',
    t.jpegOf(t.exifSegment(t.exif({ UserComment: utf8(json(made.FOOOCUS)), MakerNote: utf8('fooocus') }))),
    FOOOCUS,
  ],
  ['SwarmUI, PNG', 'png', t.pngOf(t.tEXt('parameters', json(made.SWARMUI))), SWARM],
  [
    'SwarmUI, JPEG',
    'jpg',
    t.jpegOf(t.exifSegment(t.exif({ UserComment: t.unicodeComment(json(made.SWARMUI)) }))),
    SWARM,
  ],
  ['Draw Things, PNG', 'png', t.pngOf(t.iTXt('XML:com.adobe.xmp', made.DRAW_THINGS_XMP)), DRAW],
  ['Draw Things, JPEG', 'jpg', t.jpegOf(t.xmpSegment(made.DRAW_THINGS_XMP)), DRAW],
  ['C2PA, PNG', 'png', t.pngOf(pngChunk('caBX', zeros(10))), { source: 'c2pa', c2pa: true }],
  [
    'C2PA, JPEG',
    'jpg',
    t.jpegOf(t.segment(0xeb, 'JP', zeros(6), zeros(4), 'jumb', zeros(4), 'jumdc2pa')),
    { source: 'c2pa', c2pa: true },
  ],
  [
    'ComfyUI, MP4, names in keys',
    'mp4',
    film(
      fullBox(
        'meta',
        fullBox('hdlr', zeros(4), 'mdta', zeros(13)),
        keys('prompt', 'workflow'),
        box('ilst', tag(be32(1), json(made.COMFY_GRAPH))),
      ),
    ),
    COMFY,
  ],
  [
    'ComfyUI, MP4, both in a comment',
    'mp4',
    film(
      box('udta', fullBox('meta', box('ilst', tag('\xa9cmt', json({ prompt: json(made.COMFY_GRAPH), workflow: {} }))))),
    ),
    COMFY,
  ],
  ['ComfyUI, FLAC', 'flac', bytes(flacHead, [0x84], be32(vorbis.length).subarray(1), vorbis, zeros(100)), COMFY],
  [
    'AUTOMATIC1111, JPEG XL',
    'jxl',
    bytes(
      '\0\0\0\x0cJXL \r\n\x87\n',
      box('ftyp', 'jxl ', zeros(4)),
      box('jxlc', [0xff, 0x0a, 9, 4, 0, 0], zeros(16)),
      box('Exif', zeros(4), t.exif({ UserComment: t.unicodeComment(made.A1111) })),
    ),
    A1111,
  ],
  [
    'AUTOMATIC1111, AVIF',
    'avif',
    avif(bytes(zeros(4), t.exif({ UserComment: t.unicodeComment(made.A1111) })), 'Exif'),
    A1111,
  ],
  ['Draw Things, AVIF', 'avif', avif(utf8(made.DRAW_THINGS_XMP), 'mime'), DRAW],
  [
    'C2PA, MP4',
    'mp4',
    bytes(box('ftyp', 'isom', zeros(4)), box('uuid', Buffer.from(C2PA_UUID, 'hex'), zeros(40)), film()),
    { source: 'c2pa' },
  ],
  ['C2PA, WebP', 'webp', t.webpOf(0, riffChunk('C2PA', zeros(10))), { source: 'c2pa', c2pa: true }],
];

describe.each(files)('%s', (_name, ext, file, expected) => {
  test('is read, in chunks of any size', () => {
    for (const chunk of [1_000_000, 100, 7]) expect(generationIn(file, ext, chunk)).toMatchObject(expected);
  });
});

test('texts after the pixels are read too', () => {
  const whole = t.pngOf();
  const behind = bytes(whole.subarray(0, -12), t.tEXt('parameters', made.A1111), whole.subarray(-12));
  expect(generationIn(behind, 'png')).toMatchObject(A1111);
});

test('prompts in any script are read correctly', () => {
  const text = 'ein Füchslein — 雪の中の狐 🦊\nSteps: 5, Seed: 7';
  const expected = { prompt: 'ein Füchslein — 雪の中の狐 🦊', seed: 7 };
  expect(generationIn(t.pngOf(t.iTXt('parameters', text)), 'png')).toMatchObject(expected);
  expect(generationIn(t.pngOf(t.iTXt('parameters', text, true)), 'png')).toMatchObject(expected);
  // Some write UTF-8 where Latin-1 belongs.
  expect(generationIn(t.pngOf(pngChunk('tEXt', bytes('parameters', 0, utf8(text)))), 'png')).toMatchObject(expected);
  expect(generationIn(t.pngOf(t.tEXt('parameters', 'Füchse\nSteps: 5')), 'png')).toMatchObject({ prompt: 'Füchse' });
  const comment = t.exif({ UserComment: t.unicodeComment(text) });
  expect(generationIn(t.jpegOf(t.exifSegment(comment)), 'jpg')).toMatchObject(expected);
});

describe('a malicious file', () => {
  const notes = (found: GenerationData | null) => found?.notes?.join(' ') ?? '';
  const big = 'x'.repeat(10 * 1024 * 1024);

  test('a text that decompresses to 200 MB is left out, and the others are read', () => {
    const bomb = pngChunk('zTXt', bytes('parameters', 0, 0, deflateSync(Buffer.alloc(200 * 1024 * 1024))));
    expect(notes(generationIn(t.pngOf(bomb), 'png'))).toContain('unpacks to too much');
    const first = generationIn(t.pngOf(t.tEXt('prompt', made.FLUX_GRAPH_JSON), bomb, bomb, bomb), 'png');
    expect(first).toMatchObject({ source: 'comfyui', steps: 28 });
  });

  test('a chunk of 10 MiB is skipped', () => {
    const found = generationIn(t.pngOf(t.tEXt('workflow', big), t.tEXt('parameters', made.A1111)), 'png', 65_536);
    expect(found).toMatchObject({ source: 'automatic1111', seed: 2870305590 });
    expect(notes(found)).toContain('too many');
  });

  test('the number of small texts is limited', () => {
    const many = Array.from({ length: 5000 }, (_, n) => t.tEXt(`k${n}`, 'v'));
    expect(generationIn(t.pngOf(...many), 'png', 65_536)).toMatchObject({ source: 'unknown' });
  });

  test('a graph with circular links is read in bounded time', () => {
    const graph = json({
      '1': {
        class_type: 'KSampler',
        inputs: { seed: ['2', 0], positive: ['3', 0], negative: ['3', 0], model: ['2', 0] },
      },
      '2': { class_type: 'Reroute', inputs: { '': ['2', 0], model: ['1', 0], seed: ['1', 0] } },
      '3': { class_type: 'ConditioningCombine', inputs: { a: ['3', 0], b: ['1', 0], text: ['3', 0] } },
    });
    expect(generationIn(t.pngOf(t.tEXt('prompt', graph)), 'png')).toEqual({ source: 'comfyui', hasWorkflow: true });
  });

  test('a graph with many links is read quickly', () => {
    const inputs = Object.fromEntries(Array.from({ length: 150_000 }, (_, n) => [`c${n}`, ['1', n]]));
    const wide = json({ '1': { class_type: 'KSampler', inputs: { seed: 1, positive: ['1', 0], ...inputs } } });
    const nodes = Array.from({ length: 4000 }, (_, n) => [
      String(n),
      { class_type: 'KSampler', inputs: { positive: [String((n + 1) % 4000), n], text: [String((n * 7) % 4000), 0] } },
    ]);
    const started = performance.now();
    for (const graph of [wide, json(Object.fromEntries(nodes))]) {
      generationIn(t.pngOf(t.tEXt('prompt', graph)), 'png', 65_536);
    }
    expect(performance.now() - started).toBeLessThan(3000);
  });

  test.each([
    ['broken JSON', t.tEXt('prompt', '{"3": {"class_type": "KSampler", '), 'not a valid JSON object'],
    ['a workflow that is no object', t.tEXt('workflow', '["nodes"]'), 'not a valid JSON object'],
    ['lists in lists in lists', t.tEXt('workflow', '['.repeat(9000)), 'not a valid JSON object'],
    [
      'nesting without an end',
      t.tEXt('workflow', `${'['.repeat(100_000)}${']'.repeat(100_000)}`),
      'not a valid JSON object',
    ],
    ['a text that is no zlib stream', pngChunk('zTXt', bytes('parameters', 0, 0, 'garbage')), 'decompressed'],
    ['a text without a keyword', pngChunk('tEXt', zeros(100)), 'no keyword'],
    ['a cut iTXt', pngChunk('iTXt', bytes('parameters', 0, 0, 0, 'en')), 'ends in the middle'],
    ['EXIF that is none', pngChunk('eXIf', utf8('hello')), 'EXIF'],
  ])('%s is noted', (_name, chunk, note) => {
    expect(notes(generationIn(t.pngOf(chunk), 'png'))).toContain(note);
  });

  test('keys like __proto__ change no prototype', () => {
    const graph = '{"__proto__": {"class_type": "KSampler", "inputs": {"__proto__": {"seed": 1}}}, "constructor": 1}';
    generationIn(t.pngOf(t.tEXt('prompt', graph)), 'png');
    const found = generationIn(t.pngOf(t.tEXt('parameters', 'x\nSteps: 1, __proto__: 5, constructor: 6')), 'png');
    expect(Object.keys(found ?? {})).toEqual(['source', 'prompt', 'steps']);
    expect(({} as Record<string, unknown>)['seed']).toBeUndefined();
  });

  test('characters that PostgreSQL cannot store are removed', () => {
    const found = generationIn(
      t.pngOf(t.tEXt('invokeai_metadata', '{"positive_prompt": "a\\u0000b\\ud800c\\u0007", "seed": 1e400}')),
      'png',
    );
    expect(found).toEqual({ source: 'invokeai', prompt: 'ab\ufffdc' });
  });

  test('long texts are cut, with a note', () => {
    const found = generationIn(
      t.pngOf(
        t.tEXt(
          'parameters',
          `${'"'.repeat(100_000)}\nNegative prompt: ${'\\'.repeat(100_000)}\nSteps: 1, ${Array.from({ length: 200 }, (_, n) => `Key ${n}: ${'"'.repeat(900)}`).join(', ')}`,
        ),
      ),
      'png',
    );
    expect(Buffer.byteLength(json(found))).toBeLessThanOrEqual(48 * 1024);
    expect(notes(found)).toContain('was cut');
  });
});

const anything = fc.oneof(
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(made.A1111, json(made.COMFY_GRAPH), json(made.SWARMUI), json(made.FOOOCUS), made.DRAW_THINGS_XMP),
);
const keywords = ['parameters', 'prompt', 'workflow', 'Comment', 'Software', 'invokeai_metadata', 'XML:com.adobe.xmp'];

test('any texts give a storable result', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...keywords), anything, fc.nat(200)), { maxLength: 6 }), (texts) => {
      const chunks = texts.map(([keyword, text, cut]) => t.iTXt(keyword, text.slice(cut % 2 === 0 ? 0 : cut)));
      const found = generationIn(t.pngOf(...chunks), 'png');
      const text = json(found);
      expect(text.length).toBeLessThan(48 * 1024);
      expect(text).not.toContain('\\u0000');
      expect(text.isWellFormed()).toBe(true);
    }),
    { numRuns: 500 },
  );
});
