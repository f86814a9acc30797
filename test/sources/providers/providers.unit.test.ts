import { expect, test } from 'vitest';
import { automatic1111 } from '../../../src/sources/providers/automatic1111.ts';
import { fal } from '../../../src/sources/providers/fal.ts';
import { gemini } from '../../../src/sources/providers/gemini.ts';
import { openai } from '../../../src/sources/providers/openai.ts';
import { replicate } from '../../../src/sources/providers/replicate.ts';
import { stability } from '../../../src/sources/providers/stability.ts';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const url = (name: string) => ({ type: 'url', url: `https://cdn.example.com/${name}` });
const data = { type: 'base64', data: PNG };

test('openai: base64 and URLs are outputs, with usage and the revised prompt of each', () => {
  const answer = openai.parse({
    created: 1_732_000_000,
    data: [{ b64_json: PNG, revised_prompt: 'a fox, in oils' }, { url: 'https://cdn.example.com/2.png' }],
    usage: { input_tokens: 5, output_tokens: 100, total_tokens: 105 },
    size: '1024x1024',
    quality: 'high',
    output_format: 'webp',
  });
  expect(answer).toMatchObject({ state: 'succeeded', size: '1024x1024', quality: 'high' });
  expect(answer.outputs.map((output) => output.from)).toEqual([[data], [url('2.png')]]);
  expect(answer.outputs[0]).toMatchObject({
    contentType: 'image/webp',
    generation: { revisedPrompt: 'a fox, in oils' },
  });
  expect(answer.generation).toMatchObject({ usage: { total_tokens: 105 } });
  expect(openai.parse({ error: { message: 'refused', type: 'image_generation_user_error' } })).toMatchObject({
    state: 'failed',
    error: { message: 'refused', class: 'image_generation_user_error' },
  });
});

test('fal: images, video, audio and meshes are read from a webhook and a direct answer', () => {
  const payload = {
    images: [{ url: 'https://cdn.example.com/1.jpeg', content_type: 'image/jpeg', width: 1024, height: 768 }],
    video: { url: 'https://cdn.example.com/v.mp4', content_type: 'video/mp4', duration: 5, fps: 24 },
    audio: { url: 'https://cdn.example.com/a.wav' },
    model_mesh: { url: 'https://cdn.example.com/m.glb', file_name: 'm.glb' },
    seed: 42,
    prompt: 'a fox',
    timings: { inference: 1.5 },
    has_nsfw_concepts: [false],
  };
  const wrapped = fal.parse({ request_id: 'r-1', gateway_request_id: 'g-1', status: 'OK', payload });
  expect(wrapped).toMatchObject({ id: 'r-1', state: 'succeeded', prompt: 'a fox', generation: { seed: 42 } });
  expect(wrapped.outputs.map(({ from }) => from[0])).toEqual([url('1.jpeg'), url('v.mp4'), url('a.wav'), url('m.glb')]);
  expect(fal.parse(payload).outputs).toHaveLength(4);
  expect(
    fal.parse({ request_id: 'r', status: 'ERROR', error: 'Invalid status code: 422', payload: { detail: [] } }),
  ).toMatchObject({ state: 'failed', error: { message: 'Invalid status code: 422' } });
});

test.each([
  ['starting', 'queued'],
  ['processing', 'running'],
  ['succeeded', 'succeeded'],
  ['failed', 'failed'],
  ['canceled', 'canceled'],
  ['aborted', 'canceled'],
])('replicate: the status %s is the state %s', (status, state) => {
  expect(replicate.parse({ id: 'p', status }).state).toBe(state);
});

test('replicate: URLs in a string, a list or an object are outputs; other strings are not', () => {
  const outputs = (output: unknown) =>
    replicate.parse({ id: 'p', status: 'succeeded', output }).outputs.map(({ from }) => from[0]);
  expect(outputs('https://cdn.example.com/1.png')).toEqual([url('1.png')]);
  expect(outputs(['https://cdn.example.com/1.png', 'https://cdn.example.com/2.png'])).toHaveLength(2);
  expect(
    outputs({ image: 'https://cdn.example.com/1.png', caption: 'a fox', masks: ['https://cdn.example.com/m.png'] }),
  ).toHaveLength(2);
  expect(outputs(['a ', 'text ', 'in pieces'])).toEqual([]);
  expect(outputs(null)).toEqual([]);
});

test('gemini, imagen, stability and automatic1111: outputs and facts are read', () => {
  const answer = gemini.parse({
    candidates: [
      {
        content: { parts: [{ text: 'Here' }, { inlineData: { mimeType: 'image/png', data: PNG } }] },
        finishReason: 'STOP',
      },
    ],
    usageMetadata: { totalTokenCount: 9 },
    modelVersion: 'gemini-image',
  });
  expect(answer).toMatchObject({
    state: 'succeeded',
    model: 'gemini-image',
    outputs: [{ contentType: 'image/png', from: [data] }],
  });
  expect(
    gemini.parse({ candidates: [{ content: { parts: [{ text: 'I cannot' }] }, finishReason: 'SAFETY' }] }),
  ).toMatchObject({
    state: 'failed',
    error: { class: 'SAFETY', message: 'I cannot' },
  });
  expect(gemini.parse({ predictions: [{ bytesBase64Encoded: PNG, mimeType: 'image/png' }] }).outputs).toHaveLength(1);
  expect(stability.parse({ image: PNG, finish_reason: 'SUCCESS', seed: 7 })).toMatchObject({
    generation: { seed: 7 },
    outputs: [{ from: [data] }],
  });
  expect(
    stability.parse({
      artifacts: [
        { base64: PNG, seed: 1 },
        { base64: PNG, seed: 2 },
      ],
    }).outputs,
  ).toHaveLength(2);
  const info = JSON.stringify({
    seed: 3,
    all_seeds: [3, 4],
    infotexts: ['t0', 't1', 't2'],
    prompt: 'a fox',
    sampler_name: 'Euler a',
  });
  const grid = automatic1111.parse({ images: [PNG, PNG, PNG], parameters: { steps: 20 }, info });
  expect(grid.outputs.map((output) => output.generation?.['seed'])).toEqual([undefined, 3, 4]);
  expect(grid).toMatchObject({ prompt: 'a fox', generation: { sampler: 'Euler a', steps: 20 } });
});
