import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EmbeddedTexts } from '../../../src/media/embedded-texts.ts';
import { readGeneration } from '../../../src/media/generation/read-generation.ts';

function read(text: string, name = 'parameters') {
  const texts = new EmbeddedTexts();
  texts.add(name, text);
  return readGeneration(texts);
}

test.each([
  ['Steps first', 'Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 9, Size: 512x768, Model: m1'],
  [
    'the version first',
    'Version: aa62f6d, Pipeline: Original, Steps: 20, Seed: 9, Sampler: Euler a, CFG scale: 7, Size: 512x768, Model: m1',
  ],
  [
    'the parser first',
    'Parser: Full parser, Steps: 20, Seed: 9, Sampler: Euler a, CFG scale: 7, Size: 512x768, Model: m1',
  ],
  ['the sampler first', 'Sampler: Euler a, Steps: 20, CFG Scale: 7, Seed: 9, Size: 512 x 768, Model: m1'],
  ['the seed first', 'Seed: 9, Steps: 20, sampler_name: Euler a, cfg_scale: 7.0, Size: 512×768, Model: m1'],
  [
    'other spellings',
    'Model: m1, Resolution: 512x768, Guidance Scale: 7, Sampling method: Euler a, Sampling steps: 20, Seed: 9',
  ],
])('a line of settings is read in any order: %s', (_name, line) => {
  for (const negative of ['', '\nNegative prompt: bad, two\nlines of it'])
    expect(read(`a castle, refractions: many\nat night${negative}\n${line}`)).toMatchObject({
      source: 'automatic1111',
      prompt: 'a castle, refractions: many\nat night',
      ...(negative !== '' && { negativePrompt: 'bad, two\nlines of it' }),
      steps: 20,
      sampler: 'Euler a',
      cfgScale: 7,
      seed: 9,
      size: '512x768',
      model: 'm1',
    });
});

test.each([
  ['Denoising strength: 0.6', { denoise: 0.6 }],
  ['Denoise: 0.6', { denoise: 0.6 }],
  ['Clip skip: 2', { clipSkip: 2 }],
  ['Clip Skip: 2', { clipSkip: 2 }],
  ['clip_skip: 2', { clipSkip: 2 }],
  ['Schedule type: Karras', { scheduler: 'Karras' }],
  ['Scheduler: karras', { scheduler: 'karras' }],
  ['Model hash: aa', { modelHash: 'aa' }],
  ['VAE: v.pt', { vae: 'v.pt' }],
  ['Version: v1.10.1', { version: 'v1.10.1' }],
])('the setting %s is known', (setting, expected) => {
  expect(read(`a cat\nSteps: 4, Seed: 1, ${setting}`)).toMatchObject({ ...expected, seed: 1 });
});

test('lines after the settings belong neither to a setting nor to the prompt', () => {
  for (const after of [
    'Template: a {red|blue} cat\nNegative Template: bad',
    'Template:epic art',
    '\nsaved from the gallery',
  ])
    expect(
      read(`a red cat\nNegative prompt: bad\nSteps: 20, Seed: 3, Size: 512x512, Model: m1\n${after}`),
    ).toMatchObject({
      prompt: 'a red cat',
      negativePrompt: 'bad',
      model: 'm1',
    });
});

describe('values', () => {
  test('JSON and quoted values stay whole', () => {
    const hashes = '{"model": "41aa", "lora:foo, bar": "aa}bb", "deep": [{"a": "\\"x\\", y"}]}';
    const found = read(
      `a cat\nSteps: 20, Seed: 3, Hashes: ${hashes}, Lora hashes: "a: 1, b: 2", Model: m1, Version: v1`,
    );
    expect(found).toMatchObject({ seed: 3, model: 'm1', version: 'v1' });
    expect(found?.parameters).toEqual({ Hashes: hashes, 'Lora hashes': 'a: 1, b: 2' });
  });

  test('a value of any text in quotes or JSON leaves its neighbours alone', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), fc.jsonValue({ maxDepth: 2 }), (text, json) => {
        fc.pre(!/[\n\r]/.test(text));
        const value = typeof json === 'object' && json !== null ? JSON.stringify(json) : JSON.stringify(text);
        const found = read(`a cat\nSteps: 20, Extra: ${value}, Seed: 12345, Model: m1`);
        expect(found).toMatchObject({ prompt: 'a cat', steps: 20, seed: 12_345, model: 'm1' });
      }),
    );
  });

  test('what is not closed takes nothing that stands before it', () => {
    expect(read('a cat\nSteps: 20, Seed: 3, Hashes: {"model": "41')).toMatchObject({ steps: 20, seed: 3 });
    expect(read('a cat\nSteps: 20, Seed: 3, Lora hashes: "a: 1')).toMatchObject({ steps: 20, seed: 3 });
  });
});

test('Civitai names the checkpoint and the LoRAs in its resources', () => {
  const resources = JSON.stringify([
    { type: 'checkpoint', modelVersionId: 2, modelName: 'Example-illustrious', modelVersionName: 'v16.0' },
    { type: 'lora', weight: 0.8, modelVersionId: 7, modelName: 'Detail, more: of it', modelVersionName: 'v1' },
  ]);
  expect(read(`a cat\nSteps: 25, Seed: 1, Civitai resources: ${resources}, Civitai metadata: {}`)).toMatchObject({
    model: 'Example-illustrious v16.0',
    loras: [{ name: 'Detail, more: of it v1', weight: 0.8 }],
  });
  expect(
    read('a cat\nNegative prompt: \nSampler: Undefined, CFG scale: 3.5, Seed: 12, Civitai resources: []'),
  ).toMatchObject({
    prompt: 'a cat',
    seed: 12,
    cfgScale: 3.5,
  });
});

test('an infotext by Fooocus is told as that', () => {
  expect(read('a fish\nSteps: 30, Seed: 1, Scheduler: karras, Version: Fooocus v2.4.3', 'UserComment')).toMatchObject({
    source: 'fooocus',
    scheduler: 'karras',
  });
});

test('a prompt that mentions settings stays a prompt, and None is nothing', () => {
  expect(read('model: a woman in red, size: large, posing')).toMatchObject({
    prompt: 'model: a woman in red, size: large, posing',
  });
  expect(read('None')).toBe(null);
});
