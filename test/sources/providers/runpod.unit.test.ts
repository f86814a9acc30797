import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runpod } from '../../../src/sources/providers/runpod.ts';

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const url = (name: string) => ({ type: 'url', url: `https://cdn.example.com/${name}` });
const data = { type: 'base64', data: PNG };

test('runpod: outputs of every version of worker-comfyui are read', () => {
  const of = (output: unknown, more: object = {}) =>
    runpod.parse({ id: 'j', status: 'COMPLETED', output, executionTime: 9, ...more });
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
  expect(runpod.parse({ id: 'j', status: 'IN_PROGRESS' })).toMatchObject({ state: 'running', outputs: [] });
  expect(runpod.parse({ id: 'j', status: 'TIMED_OUT' })).toMatchObject({
    state: 'failed',
    error: { class: 'TIMED_OUT' },
  });
});

test('a custom handler’s paths, keys, images and URLs at one position are one output, with the stored object first', () => {
  const answer = runpod.parse({
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
  const chunk = runpod.parse({
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

test('a custom handler’s images are matched to paths and URLs by name, else by position', () => {
  const of = (fields: object) =>
    runpod
      .parse({ job_id: 'j', status: 'COMPLETED', ...fields })
      .outputs.map(({ filename, from }) => [
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

test('a piece is a finished output of a job that still runs, in whatever form it comes', () => {
  const file = fc.record(
    {
      filename: fc.constant('a.png'),
      subfolder: fc.constant(''),
      type: fc.constant('output'),
      fileSize: fc.nat(),
      format: fc.constant('png'),
      data: fc.constantFrom(PNG, `data:image/png;base64,${PNG}`),
      s3Key: fc.constant('outputs/u/a.png'),
      networkVolumePath: fc.constant('/runpod-volume/outputs/u/a.png'),
    },
    { requiredKeys: ['filename', 'data'] },
  );
  const word = fc.constantFrom('IMAGE_READY', 'IMAGE_CHUNK', 'image_ready', 'ImageChunk', 'image-ready');
  const forms: ((piece: object) => object)[] = [
    (image) => ({ image }),
    (image) => ({ images: [image] }),
    (image) => ({ imageData: image }),
    (image) => image,
  ];
  const form = fc.constantFrom(...forms);
  const said = fc.constantFrom('status', 'state', 'event');
  fc.assert(
    fc.property(file, word, form, said, fc.nat(100), (piece, status, made, name, progress) => {
      const body = { job_id: 'j', progress, ...made(piece), [name]: status };
      for (const answer of [runpod.parse(body), runpod.parse({ id: 'r', status: 'IN_PROGRESS', output: body })]) {
        expect(answer).toMatchObject({ state: 'running', error: undefined });
        expect(answer.outputs).toMatchObject([{ filename: 'a.png' }]);
        expect(answer.outputs[0]?.from.at(-1)).toMatchObject({ type: 'base64' });
      }
    }),
  );
});

test('a preview of a job that runs is no piece', () => {
  const image = { filename: 'p.png', type: 'temp', data: PNG };
  expect(runpod.parse({ job_id: 'j', status: 'IN_PROGRESS', image })).toMatchObject({ state: 'running', outputs: [] });
  const preview = runpod.parse({ job_id: 'j', status: 'IMAGE_READY', image });
  expect(preview).toMatchObject({ state: 'running', outputs: [], ignored: [{ reason: expect.any(String) }] });
  const done = runpod.parse({ job_id: 'j', status: 'IN_PROGRESS', image: { ...image, type: 'output' } });
  expect(done).toMatchObject({ state: 'running', outputs: [{ filename: 'p.png' }] });
});

test('a completion lists its files in aws_s3_paths or allImages, too, and each is one output', () => {
  const file = { filename: 'a.png', awsS3Key: 'outputs/u/a.png', awsS3Url: 'https://cdn.example.com/a.png' };
  const answer = runpod.parse({
    job_id: 'j',
    status: 'DELIVERY_COMPLETE',
    aws_s3_paths: [file],
    resultUrls: [file.awsS3Url],
    allImages: [{ ...file, data: PNG }],
  });
  expect(answer.state).toBe('succeeded');
  expect(answer.outputs.map(({ from }) => from)).toEqual([
    [{ type: 'object', path: 'outputs/u/a.png' }, data, url('a.png')],
  ]);
});
