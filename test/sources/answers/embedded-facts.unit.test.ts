import { expect, test } from 'vitest';
import { automatic1111 } from '../../../src/sources/providers/automatic1111.ts';
import { comfyui } from '../../../src/sources/providers/comfyui.ts';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

test('comfyui-api: prompt, model and settings are read from the graph', () => {
  const prompt = {
    3: {
      class_type: 'KSampler',
      inputs: { seed: 5, steps: 20, sampler_name: 'euler', positive: ['6', 0], model: ['4', 0] },
    },
    4: { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'sd.safetensors' } },
    6: { class_type: 'CLIPTextEncode', inputs: { text: 'a fox' } },
  };
  const answer = comfyui.parse({ id: 'c', prompt, images: [PNG], stats: { total_time: 3 } });
  expect(answer).toMatchObject({
    prompt: 'a fox',
    model: 'sd.safetensors',
    generation: { source: 'comfyui', seed: 5, steps: 20, sampler: 'euler', timings: { total_time: 3 } },
  });
  expect(answer.generation).not.toHaveProperty('hasWorkflow');
  expect(comfyui.parse({ id: 'c', prompt: {}, images: [PNG] })).toMatchObject({ prompt: undefined, generation: {} });
});

test('automatic1111: the infotext of each image is read, and a grid is marked', () => {
  const text = (seed: number) =>
    `a fox\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: ${seed}, Size: 512x768, Model hash: abc, Model: sdxl`;
  const info = { index_of_first_image: 1, infotexts: [text(5), text(5), text(6)] };
  const answer = automatic1111.parse({ images: [PNG, PNG, PNG], parameters: {}, info: JSON.stringify(info) });
  expect(answer).toMatchObject({ prompt: 'a fox', model: 'sdxl', size: '512x768' });
  const known = {
    source: 'automatic1111',
    negativePrompt: 'blurry',
    steps: 20,
    sampler: 'Euler a',
    cfgScale: 7,
    width: 512,
    height: 768,
    model: 'sdxl',
    modelHash: 'abc',
  };
  expect(answer.outputs.map((output) => output.generation)).toEqual([
    { ...known, grid: true, infotext: text(5) },
    { ...known, seed: 5, infotext: text(5) },
    { ...known, seed: 6, infotext: text(6) },
  ]);
  expect(answer.generation).not.toHaveProperty('seed');
});

test('automatic1111: an answer without a grid, an `info` that is not JSON, and an error are read', () => {
  const one = automatic1111.parse({ images: [PNG], parameters: { seed: 9 }, info: 'not json' });
  expect(one).toMatchObject({ generation: { seed: 9 }, outputs: [{ generation: {} }] });
  expect(automatic1111.parse({ error: 'OutOfMemoryError', detail: '', errors: 'CUDA out of memory' })).toMatchObject({
    state: 'failed',
    error: { class: 'OutOfMemoryError', message: 'CUDA out of memory' },
  });
});
