import { expect, test } from 'vitest';
import { comfyui } from '../../../src/sources/providers/comfyui.ts';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const url = (name: string) => ({ type: 'url', url: `https://cdn.example.com/${name}` });
const data = { type: 'base64', data: PNG };

test('comfyui-api: an answer, a webhook and the older webhook for each image are read', () => {
  expect(
    comfyui.parse({ id: 'c', images: [PNG, 'https://cdn.example.com/2.png'], filenames: ['1.png', '2.png'] }),
  ).toMatchObject({
    id: 'c',
    state: 'succeeded',
    outputs: [
      { filename: '1.png', from: [data] },
      { filename: '2.png', from: [url('2.png')] },
    ],
  });
  expect(comfyui.parse({ type: 'prompt.failed', id: 'c', error: 'out of memory' })).toMatchObject({
    state: 'failed',
    error: { message: 'out of memory' },
  });
  expect(comfyui.parse({ event: 'output.complete', id: 'c', image: PNG, filename: 'x.png' })).toMatchObject({
    state: 'succeeded',
    outputs: [{ filename: 'x.png' }],
  });
});
