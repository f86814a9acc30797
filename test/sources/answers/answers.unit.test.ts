import fc from 'fast-check';
import { expect, test } from 'vitest';
import { comfyHistory, comfyViewUrl } from '../../../src/sources/answers/comfyui.ts';
import { ANSWERS, type Provider } from '../../../src/sources/answers/providers.ts';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const url = (name: string) => ({ type: 'url', url: `https://cdn.example.com/${name}` });
const data = { type: 'base64', data: PNG };

test('openai: base64 and URLs, with usage and the revised prompt of each', () => {
  const answer = ANSWERS.openai({
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
  expect(ANSWERS.openai({ error: { message: 'refused', type: 'image_generation_user_error' } })).toMatchObject({
    state: 'failed',
    error: { message: 'refused', class: 'image_generation_user_error' },
  });
});

test('fal: a webhook and a direct answer, images, video, audio and meshes', () => {
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
  const wrapped = ANSWERS.fal({ request_id: 'r-1', gateway_request_id: 'g-1', status: 'OK', payload });
  expect(wrapped).toMatchObject({ id: 'r-1', state: 'succeeded', prompt: 'a fox', generation: { seed: 42 } });
  expect(wrapped.outputs.map(({ from }) => from[0])).toEqual([url('1.jpeg'), url('v.mp4'), url('a.wav'), url('m.glb')]);
  expect(ANSWERS.fal(payload).outputs).toHaveLength(4);
  expect(
    ANSWERS.fal({ request_id: 'r', status: 'ERROR', error: 'Invalid status code: 422', payload: { detail: [] } }),
  ).toMatchObject({ state: 'failed', error: { message: 'Invalid status code: 422' } });
});

test.each([
  ['starting', 'queued'],
  ['processing', 'running'],
  ['succeeded', 'succeeded'],
  ['failed', 'failed'],
  ['canceled', 'canceled'],
  ['aborted', 'canceled'],
])('replicate: %s is %s', (status, state) => {
  expect(ANSWERS.replicate({ id: 'p', status }).state).toBe(state);
});

test('replicate: an output is a text, a list or an object; texts that are no addresses are no outputs', () => {
  const outputs = (output: unknown) =>
    ANSWERS.replicate({ id: 'p', status: 'succeeded', output }).outputs.map(({ from }) => from[0]);
  expect(outputs('https://cdn.example.com/1.png')).toEqual([url('1.png')]);
  expect(outputs(['https://cdn.example.com/1.png', 'https://cdn.example.com/2.png'])).toHaveLength(2);
  expect(
    outputs({ image: 'https://cdn.example.com/1.png', caption: 'a fox', masks: ['https://cdn.example.com/m.png'] }),
  ).toHaveLength(2);
  expect(outputs(['a ', 'text ', 'in pieces'])).toEqual([]);
  expect(outputs(null)).toEqual([]);
});

test('runpod: worker-comfyui of any age', () => {
  const of = (output: unknown, more: object = {}) =>
    ANSWERS.runpod({ id: 'j', status: 'COMPLETED', output, executionTime: 9, ...more });
  const current = of({
    images: [
      { filename: 'a.png', type: 'base64', data: PNG },
      { filename: 'b.png', type: 's3_url', data: 'https://cdn.example.com/b.png' },
    ],
  });
  expect(current.outputs).toMatchObject([
    { filename: 'a.png', from: [data] },
    { filename: 'b.png', from: [url('b.png')] },
  ]);
  expect(current.generation).toMatchObject({ executionTime: 9 });
  expect(of({ message: PNG, status: 'success' }).outputs[0]?.from).toEqual([data]);
  expect(of({ message: 'https://cdn.example.com/b.png' }).outputs[0]?.from).toEqual([url('b.png')]);
  expect(of({ status: 'success_no_images', message: 'no images' })).toMatchObject({ state: 'succeeded', outputs: [] });
  expect(of({ images: [], errors: ['node 3 failed'] })).toMatchObject({ state: 'failed' });
  expect(ANSWERS.runpod({ id: 'j', status: 'IN_PROGRESS' })).toMatchObject({ state: 'running', outputs: [] });
  expect(ANSWERS.runpod({ id: 'j', status: 'TIMED_OUT' })).toMatchObject({
    state: 'failed',
    error: { class: 'TIMED_OUT' },
  });
});

test('a handler of one’s own: paths, keys, images and URLs by position are one output each, the stored object first', () => {
  const answer = ANSWERS.runpod({
    job_id: 'job-7',
    status: 'COMPLETED',
    progress: 100,
    network_volume_paths: ['/runpod-volume/outputs/u/a.png', { path: 'outputs/u/b.png' }],
    s3Keys: ['outputs/u/a.png', 'outputs/u/b.png'],
    resultUrls: ['https://cdn.example.com/a.png', 'https://cdn.example.com/b.png'],
    images: [],
  });
  expect(answer).toMatchObject({ id: 'job-7', state: 'succeeded', progress: 100 });
  expect(answer.outputs.map(({ from }) => from)).toEqual([
    [
      { type: 'object', path: '/runpod-volume/outputs/u/a.png' },
      { type: 'object', path: 'outputs/u/a.png' },
      url('a.png'),
    ],
    [{ type: 'object', path: 'outputs/u/b.png' }, url('b.png')],
  ]);
  const chunk = ANSWERS.runpod({
    job_id: 'job-7',
    status: 'IN_PROGRESS',
    images: [
      {
        filename: 'a.png',
        subfolder: 'x',
        type: 'output',
        data: PNG,
        s3Key: 'outputs/u/a.png',
        fileSize: 70,
        format: 'png',
      },
    ],
  });
  expect(chunk).toMatchObject({ state: 'running', outputs: [{ filename: 'a.png', subfolder: 'x' }] });
  expect(chunk.outputs[0]?.from).toEqual([{ type: 'object', path: 'outputs/u/a.png' }, data]);
});

test('a handler’s images belong to the paths and URLs that bear their names, else to those at their positions', () => {
  const of = (fields: object) =>
    ANSWERS.runpod({ job_id: 'j', status: 'COMPLETED', ...fields }).outputs.map(({ filename, from }) => [
      filename,
      ...from.map((each) => (each.type === 'base64' ? 'bytes' : each.type === 'object' ? each.path : each.type)),
    ]);
  const [a, b] = ['outputs/u/a.png', 'outputs/u/b.png'];
  // An entry without bytes says nothing, and shifts nothing.
  expect(
    of({ network_volume_paths: [a, b], images: [{ filename: 'a.png' }, { filename: 'b.png', data: PNG }] }),
  ).toEqual([
    [undefined, a],
    ['b.png', b, 'bytes'],
  ]);
  expect(of({ network_volume_paths: [a, b], images: [{}, PNG] })).toEqual([
    [undefined, a],
    [undefined, b, 'bytes'],
  ]);
  // Another order, and fewer.
  expect(of({ s3Keys: [a, b], images: [{ filename: 'b.png', data: PNG }] })).toEqual([
    [undefined, a],
    ['b.png', b, 'bytes'],
  ]);
  expect(of({ s3Keys: [a, b], resultUrls: ['https://cdn.example.com/b.png?x=1'] })).toEqual([
    [undefined, a],
    [undefined, b, 'url'],
  ]);
  // A picture of another name is another picture.
  expect(of({ network_volume_paths: [a], images: [{ filename: 'c.png', data: PNG }] })).toEqual([
    [undefined, a],
    ['c.png', 'bytes'],
  ]);
  expect(of({ resultUrls: ['https://cdn.example.com/a.png'], images: [{ filename: 'c.png', data: PNG }] })).toEqual([
    [undefined, 'url'],
    ['c.png', 'bytes'],
  ]);
  // Names that differ by what a handler puts before them, and equal names in two folders.
  expect(
    of({ s3Keys: ['outputs/u/j-a.png', 'outputs/u/j-b.png'], images: [{ filename: 'b.png', data: PNG }] }),
  ).toEqual([
    [undefined, 'outputs/u/j-a.png'],
    ['b.png', 'outputs/u/j-b.png', 'bytes'],
  ]);
  const twice = [
    { filename: 'a.png', subfolder: 'y', data: PNG },
    { filename: 'a.png', subfolder: 'x', data: PNG },
  ];
  expect(of({ s3Keys: ['outputs/x/a.png', 'outputs/y/a.png'], images: twice })).toEqual([
    ['a.png', 'outputs/x/a.png', 'bytes'],
    ['a.png', 'outputs/y/a.png', 'bytes'],
  ]);
});

test('comfyui-api: an answer, its webhooks, and the older call per image', () => {
  expect(
    ANSWERS.comfyui({ id: 'c', images: [PNG, 'https://cdn.example.com/2.png'], filenames: ['1.png', '2.png'] }),
  ).toMatchObject({
    id: 'c',
    state: 'succeeded',
    outputs: [
      { filename: '1.png', from: [data] },
      { filename: '2.png', from: [url('2.png')] },
    ],
  });
  expect(ANSWERS.comfyui({ type: 'prompt.failed', id: 'c', error: 'out of memory' })).toMatchObject({
    state: 'failed',
    error: { message: 'out of memory' },
  });
  expect(ANSWERS.comfyui({ event: 'output.complete', id: 'c', image: PNG, filename: 'x.png' })).toMatchObject({
    state: 'running',
    outputs: [{ filename: 'x.png' }],
  });
});

test('a ComfyUI history: all outputs of all nodes, temporary ones and values that are no files left out', () => {
  const history = {
    p1: {
      prompt: [
        1,
        'p1',
        { 3: { class_type: 'KSampler', inputs: { seed: 5 } } },
        { extra_pnginfo: { workflow: { nodes: [] } } },
        ['9'],
      ],
      outputs: {
        9: {
          images: [
            { filename: 'a.png', subfolder: '', type: 'output' },
            { filename: 't.png', subfolder: '', type: 'temp' },
          ],
          animated: [true],
        },
        12: { gifs: [{ filename: 'a.png', subfolder: 'anim', type: 'output' }], text: ['hello'] },
        15: { '3d': [{ filename: 'm.glb', subfolder: '', type: 'output' }] },
      },
      status: { status_str: 'success', completed: true, messages: [] },
    },
  };
  const found = comfyHistory(history, 'p1');
  expect(found?.files).toEqual([
    { node: '9', filename: 'a.png', subfolder: '', type: 'output' },
    { node: '12', filename: 'a.png', subfolder: 'anim', type: 'output' },
    { node: '15', filename: 'm.glb', subfolder: '', type: 'output' },
  ]);
  expect(found).toMatchObject({
    state: 'succeeded',
    graph: { 3: { class_type: 'KSampler' } },
    workflow: { nodes: [] },
  });
  expect(comfyViewUrl('http://comfy:8188/', { node: '1', filename: 'ü &.png', subfolder: 'a/b', type: 'output' })).toBe(
    'http://comfy:8188/view?filename=%C3%BC+%26.png&subfolder=a%2Fb&type=output',
  );
  expect(comfyHistory({}, 'p1')).toBeUndefined();
  const error = [
    'execution_error',
    { node_id: '3', node_type: 'KSampler', exception_message: 'out of memory\n', exception_type: 'OOM' },
  ];
  expect(
    comfyHistory(
      { p1: { outputs: {}, status: { status_str: 'error', completed: false, messages: [['x', {}], error] } } },
      'p1',
    ),
  ).toMatchObject({ state: 'failed', error: { class: 'OOM', message: 'node 3 (KSampler): out of memory' } });
});

test('gemini, imagen, stability and automatic1111, as far as their formats are known', () => {
  const gemini = ANSWERS.gemini({
    candidates: [
      {
        content: { parts: [{ text: 'Here' }, { inlineData: { mimeType: 'image/png', data: PNG } }] },
        finishReason: 'STOP',
      },
    ],
    usageMetadata: { totalTokenCount: 9 },
    modelVersion: 'gemini-image',
  });
  expect(gemini).toMatchObject({
    state: 'succeeded',
    model: 'gemini-image',
    outputs: [{ contentType: 'image/png', from: [data] }],
  });
  expect(
    ANSWERS.gemini({ candidates: [{ content: { parts: [{ text: 'I cannot' }] }, finishReason: 'SAFETY' }] }),
  ).toMatchObject({
    state: 'failed',
    error: { class: 'SAFETY', message: 'I cannot' },
  });
  expect(ANSWERS.gemini({ predictions: [{ bytesBase64Encoded: PNG, mimeType: 'image/png' }] }).outputs).toHaveLength(1);
  expect(ANSWERS.stability({ image: PNG, finish_reason: 'SUCCESS', seed: 7 })).toMatchObject({
    generation: { seed: 7 },
    outputs: [{ from: [data] }],
  });
  expect(
    ANSWERS.stability({
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
  const grid = ANSWERS.automatic1111({ images: [PNG, PNG, PNG], parameters: { steps: 20 }, info });
  expect(grid.outputs.map((output) => output.generation?.['seed'])).toEqual([undefined, 3, 4]);
  expect(grid).toMatchObject({ prompt: 'a fox', generation: { sampler: 'Euler a', steps: 20 } });
});

test.each(Object.keys(ANSWERS) as Provider[])(
  '%s: anything at all is read without an exception, and outputs have bytes',
  (provider) => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const answer = ANSWERS[provider](value);
        for (const output of answer.outputs) expect(output.from.length).toBeGreaterThan(0);
        if (answer.state === 'failed') expect(answer.error?.message ?? '').not.toBe('');
      }),
    );
  },
);
