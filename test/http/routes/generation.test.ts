import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { A1111, COMFY_GRAPH, COMFY_WORKFLOW, FLUX_GRAPH_JSON } from '../../media/generation/made-generations.ts';
import { utf8 } from '../../media/bytes.ts';
import { pngChunk, riffChunk, SVG } from '../../media/made-images.ts';
import { exif, iTXt, pngOf, tEXt, webpOf } from '../../media/made-texts.ts';
import { type TestApp, asAdmin, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

const post = async (file: Uint8Array, query = '', headers = asUser('a')) => {
  const answer = await t.app.inject({
    method: 'POST',
    url: `/v1/media?${query}`,
    headers: { ...headers, 'content-type': 'image/png' },
    payload: Buffer.from(file),
  });
  expect(answer.statusCode).toBe(201);
  return answer.json();
};
const get = (url: string, headers = asUser('a')) => t.app.inject({ url, headers });
const ids = async (query: string): Promise<string[]> =>
  (await get(`/v1/media?${query}`)).json().items.map((item: { id: string }) => item.id);

describe('embedded generation data of a file', () => {
  test('is returned, fills prompt, model and size, and is searchable', async () => {
    const item = await post(pngOf(tEXt('parameters', A1111)));
    expect(item).toMatchObject({
      prompt: 'a red fox in the snow, <lora:winter_v2:0.8>, (detailed:1.2)\nsecond line',
      model: 'v1-5-pruned-emaonly',
      size: '512x768',
      width: 30,
      generation: {
        source: 'automatic1111',
        seed: 2870305590,
        sampler: 'DPM++ 2M',
        negativePrompt: 'blurry, watermark',
      },
    });
    expect(await get(`/v1/media/${item.id}`).then((answer) => answer.json().generation)).toEqual(item.generation);
    for (const query of [
      'seed=2870305590',
      `sampler=${encodeURIComponent('DPM++ 2M')}`,
      'model=v1-5-pruned-emaonly',
      'seed=2870305590&model=v1-5-pruned-emaonly&sampler=DPM%2B%2B%202M',
      'q=snow%20fox',
      'q=watermark',
      'q=%22v1-5-pruned-emaonly%22',
      'q=2870305590',
    ])
      expect([query, await ids(query)]).toEqual([query, [item.id]]);
    expect(await ids('seed=287030559')).toEqual([]);
  });

  test("is overridden by the caller's values, field by field", async () => {
    const file = Buffer.from(pngOf(tEXt('parameters', A1111), tEXt('salt', '1'))).toString('base64');
    const answer = await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: asUser('b'),
      payload: {
        prompt: 'my own words',
        model: 'mine',
        size: '1x1',
        generation: { seed: 5, note: 'kept' },
        source: { type: 'base64', data: file },
      },
    });
    expect(answer.json()).toMatchObject({
      prompt: 'my own words',
      model: 'mine',
      size: '1x1',
      generation: { seed: 5, note: 'kept', sampler: 'DPM++ 2M', model: 'v1-5-pruned-emaonly' },
    });
  });

  test('keeps a seed of 20 digits', async () => {
    const item = await post(pngOf(tEXt('prompt', FLUX_GRAPH_JSON)));
    expect(item.generation).toMatchObject({ source: 'comfyui', seed: '18446744073709551615' });
    expect(await ids('seed=18446744073709551615')).toEqual([item.id]);
  });

  test('does not cause a file to be refused, however broken it is', async () => {
    const item = await post(pngOf(tEXt('prompt', '{"3": '), iTXt('parameters', 'a\0b\nSteps: 3, Seed: 12')));
    expect(item).toMatchObject({ status: 'success', prompt: 'ab', generation: { seed: 12 } });
  });

  test('fills in what a provider has not said', async () => {
    const data = Buffer.from(pngOf(tEXt('parameters', A1111), tEXt('salt', '4'))).toString('base64');
    const response = { images: [data], parameters: { prompt: 'as it was asked' }, info: JSON.stringify({ seed: 77 }) };
    const answer = await t.app.inject({
      method: 'POST',
      url: '/v1/import/automatic1111',
      headers: asUser('d'),
      payload: { response },
    });
    expect(answer.json().items).toMatchObject([
      {
        prompt: 'as it was asked',
        model: 'v1-5-pruned-emaonly',
        generation: { seed: 77, sampler: 'DPM++ 2M', source: 'automatic1111' },
      },
    ]);
  });

  test('is read from an adopted object', async () => {
    const { storageKey } = await post(pngOf(tEXt('parameters', A1111), tEXt('salt', '5')));
    const key = 'elsewhere/fox.png';
    await mkdir(path.join(t.volume, 'elsewhere'), { recursive: true });
    await copyFile(path.join(t.volume, storageKey), path.join(t.volume, key));
    const payload = { userId: 'e', source: { type: 'object', store: 'local', key } };
    const made = await t.app.inject({ method: 'POST', url: '/v1/media', headers: asAdmin(), payload });
    expect(made.json()).toMatchObject({ size: '512x768', generation: { source: 'automatic1111' } });
  });

  test('is read from a direct upload as well', async () => {
    const file = Buffer.from(pngOf(tEXt('parameters', A1111), tEXt('salt', '2')));
    const begun = await t.app.inject({
      method: 'POST',
      url: '/v1/uploads',
      headers: asUser('c'),
      payload: { filename: 'fox.png', contentType: 'image/png', bytes: file.length },
    });
    const { id, url, headers } = begun.json();
    const { pathname, search } = new URL(url);
    await t.app.inject({ method: 'PUT', url: pathname + search, headers: { ...headers }, payload: file });
    const done = await t.app.inject({ method: 'POST', url: `/v1/uploads/${id}/complete`, headers: asUser('c') });
    expect(done.json()).toMatchObject({ model: 'v1-5-pruned-emaonly', generation: { steps: 20 } });
  });
});

describe('GET /v1/media/{id}/workflow', () => {
  const graph = tEXt('prompt', JSON.stringify(COMFY_GRAPH));
  const editor = tEXt('workflow', JSON.stringify(COMFY_WORKFLOW).replace('[863,186]', '[NaN,18446744073709551615]'));
  const workflow = (id: string, headers = asUser('a')) => get(`/v1/media/${id}/workflow`, headers);

  test('is looked for a little behind the graph, not to the end of a large file', async () => {
    const filler = (bytes: number) => pngChunk('junk', new Uint8Array(bytes));
    const near = await post(pngOf(graph, filler(1024 * 1024), editor));
    expect((await workflow(near.id)).headers['x-workflow-format']).toBe('editor');
    const far = await post(pngOf(graph, filler(12 * 1024 * 1024), editor));
    expect((await workflow(far.id)).headers['x-workflow-format']).toBe('api');
  });

  test("returns the editor's workflow as a file, with its numbers unchanged", async () => {
    const { id } = await post(pngOf(graph, editor));
    const answer = await workflow(id);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': `attachment; filename="${id}.workflow.json"`,
      'x-workflow-format': 'editor',
    });
    expect(answer.body).toContain('"pos":[null,18446744073709551615]');
    expect(answer.json().links).toEqual(COMFY_WORKFLOW.links);
    expect((await workflow(id, asAdmin())).body).toBe(answer.body);
    expect((await workflow(id, asUser('b'))).statusCode).toBe(404);
  });

  test.each([
    ['svg', utf8(SVG.replace('<rect/>', `<metadata>${JSON.stringify({ workflow: COMFY_WORKFLOW })}</metadata>`))],
    ['gltf', utf8(JSON.stringify({ asset: { version: '2.0', extras: { workflow: COMFY_WORKFLOW } } }))],
  ])('reads an %s, whose texts are known only at its end', async (ext, file) => {
    const { id } = await post(file, `filename=a.${ext}`);
    expect((await workflow(id)).json()).toEqual(COMFY_WORKFLOW);
  });

  test('returns the executed graph if there is nothing else, even in a WebP after the pixels', async () => {
    const block = exif({ Model: `prompt:${JSON.stringify(COMFY_GRAPH)}` });
    for (const file of [pngOf(graph), webpOf(0x08, riffChunk('EXIF', block))]) {
      const { id } = await post(file);
      const answer = await workflow(id);
      expect([answer.headers['x-workflow-format'], answer.json()]).toEqual(['api', COMFY_GRAPH]);
    }
  });

  test('returns what an import has kept if the file contains none', async () => {
    const source = { type: 'base64', data: Buffer.from(pngOf(tEXt('salt', '3'))).toString('base64') };
    const payload = { source, generation: { workflow: COMFY_WORKFLOW } };
    const made = await t.app.inject({ method: 'POST', url: '/v1/media', headers: asUser('a'), payload });
    expect((await workflow(made.json().id)).json()).toEqual(COMFY_WORKFLOW);
  });

  test.each([
    ['no texts', pngOf()],
    ['another tool', pngOf(tEXt('parameters', A1111))],
    ['broken JSON', pngOf(tEXt('workflow', '{"nodes": ['))],
    ['JSON that is no workflow', pngOf(tEXt('workflow', '{"a": 1}'), tEXt('prompt', '{}'))],
  ])('returns 404 for a file with %s', async (_name, file) => {
    const { id } = await post(file);
    expect((await workflow(id)).json()).toMatchObject({
      status: 404,
      code: 'not_found',
      detail: expect.stringContaining('ComfyUI workflow'),
    });
  });
});
