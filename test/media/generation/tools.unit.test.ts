import { describe, expect, test } from 'vitest';
import { mediaTypeByExtension } from '../../../src/media/media-type.ts';
import { bytes, utf8 } from '../bytes.ts';
import { inspectFile } from '../judge.ts';
import { exif, exifSegment, iTXt, jpegOf, pngOf, pngText, segment, unicodeComment } from '../made-texts.ts';
import { box, ftyp, fullBox, movie } from '../made-video.ts';

function generationIn(file: Uint8Array, ext: string): unknown {
  const result = inspectFile(file, mediaTypeByExtension(ext)!);
  if (typeof result === 'string') throw new Error(result);
  return result.generation;
}
const inPng = (texts: Record<string, unknown>) =>
  generationIn(
    pngOf(
      ...Object.entries(texts).map(([name, value]) =>
        pngText(name, typeof value === 'string' ? value : JSON.stringify(value)),
      ),
    ),
    'png',
  );
const inComment = (value: unknown) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return generationIn(jpegOf(exifSegment(exif({ UserComment: unicodeComment(text, 'le') }))), 'jpg');
};

const EASY = {
  prompt: 'a lighthouse',
  negative_prompt: 'fog',
  seed: '4010',
  use_stable_diffusion_model: 'C:\\models\\sd-v1-4.ckpt',
  use_vae_model: 'vae.pt',
  sampler_name: 'euler_a',
  width: '512',
  height: '640',
  num_inference_steps: '25',
  guidance_scale: '7.5',
};
const EASY_READ = {
  source: 'easydiffusion',
  prompt: 'a lighthouse',
  negativePrompt: 'fog',
  seed: 4010,
  steps: 25,
  sampler: 'euler_a',
  cfgScale: 7.5,
  model: 'sd-v1-4.ckpt',
  vae: 'vae.pt',
  size: '512x640',
};
const EASY_NAMES: Record<string, string> = {
  prompt: 'Prompt',
  negative_prompt: 'Negative Prompt',
  seed: 'Seed',
  use_stable_diffusion_model: 'Stable Diffusion model',
  use_vae_model: 'VAE model',
  sampler_name: 'Sampler',
  width: 'Width',
  height: 'Height',
  num_inference_steps: 'Steps',
  guidance_scale: 'Guidance Scale',
};
const easyByNames = Object.fromEntries(Object.entries(EASY).map(([name, value]) => [EASY_NAMES[name], value]));

describe('Easy Diffusion', () => {
  test.each([
    ['a text for each setting', () => inPng(EASY)],
    ['a text for each setting, under the names of its page', () => inPng(easyByNames)],
    ['JSON in the EXIF comment', () => inComment(EASY)],
    ['JSON under the names of its page', () => inComment(easyByNames)],
  ])('is read from %s', (_how, read) => {
    expect(read()).toMatchObject(EASY_READ);
  });
});

const RUINED = {
  Prompt: 'a den',
  Negative: 'x',
  steps: 30,
  cfg: 8,
  width: 1024,
  height: 768,
  seed: 2020040001,
  sampler_name: 'lcm',
  scheduler: 'karras',
  base_model_name: 'w.safetensors',
  base_model_hash: 'BEF',
  loras: [['hash', '0.5 - l'], { name: 'm', weight: 0.25 }],
  software: 'RuinedFooocus',
};
const metadataInMovie = (text: string) => {
  const key = bytes([0, 0, 0, 16], 'mdta', 'metadata');
  const data = box('data', [0, 0, 0, 1, 0, 0, 0, 0], utf8(text));
  const list = box('ilst', box('\0\0\0\x01', data));
  return bytes(ftyp('isom'), movie(fullBox('meta', fullBox('keys', [0, 0, 0, 1], key), list)));
};

test('RuinedFooocus is read from a PNG and from the metadata of a video', () => {
  const expected = {
    source: 'ruinedfooocus',
    prompt: 'a den',
    negativePrompt: 'x',
    seed: 2020040001,
    cfgScale: 8,
    model: 'w.safetensors',
    modelHash: 'BEF',
    sampler: 'lcm',
    scheduler: 'karras',
    size: '1024x768',
  };
  expect(inPng({ parameters: RUINED })).toMatchObject(expected);
  expect(generationIn(metadataInMovie(JSON.stringify(RUINED)), 'mp4')).toMatchObject(expected);
});

test('Fooocus-MRE is read from a PNG and from the comment of a JPEG, with its LoRAs and its long seed', () => {
  const json = `{"prompt": "witch", "negative_prompt": "", "seed": 8834915829939800001, "width": 1152, "height": 896, "sampler": "dpmpp_2m", "scheduler": "karras", "steps": 30, "cfg": 7, "base_clip_skip": -2, "base_model": "morph.safetensors", "l1": "off.safetensors", "w1": 0.5, "l2": "None", "w2": 0.5, "software": "Fooocus 1.0.43 MRE"}`;
  for (const found of [inPng({ Comment: json }), generationIn(jpegOf(segment(0xfe, json)), 'jpg')])
    expect(found).toMatchObject({
      source: 'fooocus',
      prompt: 'witch',
      seed: '8834915829939800001',
      clipSkip: 2,
      model: 'morph.safetensors',
      loras: [{ name: 'off.safetensors', weight: 0.5 }],
      version: 'Fooocus 1.0.43 MRE',
    });
});

const GRAPH = {
  '1': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'urn:air:sdxl:checkpoint:civitai:1@2' } },
  '2': { class_type: 'CLIPTextEncode', inputs: { text: 'of the graph', clip: ['1', 1] } },
  '3': {
    class_type: 'KSampler',
    inputs: { seed: 5, steps: 9, cfg: 2, sampler_name: 'euler', model: ['1', 0], positive: ['2', 0] },
  },
  '4': { class_type: 'SaveImage', inputs: { images: ['3', 0] } },
};

test.each<[string, () => unknown, object]>([
  [
    'a Hugging Face space',
    () =>
      inPng({
        parameters: {
          prompt: 'a fox',
          negative_prompt: 'bad',
          resolution: '832 x 1216',
          guidance_scale: 7,
          num_inference_steps: 28,
          seed: 1,
          sampler: 'Euler a',
          Model: 'Animagine XL',
          'Model hash': 'AB12',
          use_upscaler: null,
        },
      }),
    {
      source: 'huggingface',
      prompt: 'a fox',
      steps: 28,
      cfgScale: 7,
      size: '832x1216',
      model: 'Animagine XL',
      modelHash: 'AB12',
    },
  ],
  [
    'TensorArt with its graph',
    () =>
      inPng({
        prompt: GRAPH,
        generation_data: `${JSON.stringify({ prompt: 'chosen', baseModel: { modelFileName: 'pond', hash: 'AB' } })}\0`,
      }),
    { source: 'tensorart', prompt: 'chosen', model: 'pond', modelHash: 'AB', seed: 5, steps: 9, hasWorkflow: true },
  ],
  [
    'Stability Matrix',
    () =>
      inPng({
        prompt: GRAPH,
        'parameters-json': {
          PositivePrompt: 'mine',
          NegativePrompt: 'not',
          Seed: 8,
          CfgScale: 3.5,
          ModelName: 'x',
          Width: 64,
          Height: 32,
        },
      }),
    {
      source: 'stabilitymatrix',
      prompt: 'mine',
      negativePrompt: 'not',
      seed: 8,
      cfgScale: 3.5,
      model: 'x',
      size: '64x32',
    },
  ],
  [
    'Civitai, whose graph is the comment',
    () => inComment({ ...GRAPH, extra: { airs: [] } }),
    { source: 'comfyui', prompt: 'of the graph', seed: 5 },
  ],
  [
    'Civitai, which enlarged a picture',
    () => inPng({ extraMetadata: { prompt: 'before', steps: 20, cfgScale: 7, seed: 3 } }),
    { source: 'civitai', prompt: 'before', steps: 20, seed: 3 },
  ],
  [
    'SwarmUI in the model of the camera',
    () =>
      generationIn(
        jpegOf(exifSegment(exif({ Model: JSON.stringify({ sui_image_params: { prompt: 'swarm', seed: 4 } }) }))),
        'jpg',
      ),
    { source: 'swarmui', prompt: 'swarm', seed: 4 },
  ],
  [
    'a tool that nobody knows',
    () => inPng({ parameters: { prompt: 'anything', seed: 12, strength: 0.5, 'own setting': 'kept' } }),
    { source: 'unknown', prompt: 'anything', seed: 12, denoise: 0.5, parameters: { 'own setting': 'kept' } },
  ],
  [
    'NovelAI with characters',
    () =>
      inPng({
        Software: 'NovelAI',
        Comment: {
          prompt: 'park',
          uc: 'lowres',
          sampler: 'k_euler',
          seed: 9,
          v4_prompt: {
            caption: { base_caption: 'park', char_captions: [{ char_caption: 'girl, hat' }, { char_caption: 'cat' }] },
          },
          v4_negative_prompt: {
            caption: { base_caption: 'lowres', char_captions: [{ char_caption: '' }, { char_caption: 'dog' }] },
          },
        },
      }),
    { source: 'novelai', prompt: 'park | girl, hat | cat', negativePrompt: 'lowres | dog', seed: 9 },
  ],
  [
    'InvokeAI at first, with letters beside their numbers',
    () => inPng({ Dream: '"a castle -- in mist [people, cars]" -s50 -S 3145 -W512 -H=768 -C7.5 -A k_lms' }),
    {
      source: 'invokeai',
      prompt: 'a castle -- in mist',
      negativePrompt: 'people, cars',
      steps: 50,
      seed: 3145,
      size: '512x768',
      cfgScale: 7.5,
      sampler: 'k_lms',
    },
  ],
  [
    'InvokeAI at first, without quotes',
    () => inPng({ Dream: 'a well-known apple -s 30 -S 99' }),
    { source: 'invokeai', prompt: 'a well-known apple', steps: 30, seed: 99 },
  ],
  [
    'Midjourney',
    () =>
      inPng({
        Description:
          'a fox in snow, --ar 16:9 --no people, cars --seed 77 --tile --v 6.1 Job ID: 7c2f0000-1111-2222-3333-444455556666',
        Author: 'somebody',
      }),
    {
      source: 'midjourney',
      prompt: 'a fox in snow,',
      negativePrompt: 'people, cars',
      seed: 77,
      model: 'Midjourney',
      version: '6.1',
      parameters: { ar: '16:9', tile: 'true', jobId: '7c2f0000-1111-2222-3333-444455556666' },
    },
  ],
  [
    'AUTOMATIC1111 in a comment, beside parameters that are None',
    () => inPng({ parameters: 'None', Comment: 'a hill\nNegative prompt: bad\nSteps: 30, Seed: 1234, Model: jug' }),
    { source: 'automatic1111', prompt: 'a hill', steps: 30, seed: 1234, model: 'jug' },
  ],
])('%s is read', (_tool, read, expected) => {
  expect(read()).toMatchObject(expected);
});

test.each<[string, Record<string, unknown>]>([
  ['a prompt without numbers', { parameters: { prompt: 'just words' } }],
  ['numbers without a prompt', { parameters: { seed: 3, steps: 5 } }],
  ['a description of a photograph', { Description: 'The sea, --long ago', Author: 'somebody' }],
  ['JSON of another kind', { Comment: { title: 'x', seed: 'none', prompt: ['a'] } }],
])('%s says nothing of how a picture was made', (_what, texts) => {
  expect(inPng(texts)).toBeNull();
});

test('a description in another text than Latin is read whole', () => {
  const text = '雪の中の狐 --v 7 Job ID: 7c2f0000-1111-2222-3333-444455556666';
  expect(generationIn(pngOf(iTXt('Description', text, true)), 'png')).toMatchObject({
    prompt: '雪の中の狐',
    version: '7',
  });
});
