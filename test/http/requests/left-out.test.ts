import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IngestFields } from '../../../src/shapes/ingest.ts';
import { type Part, multipart, png } from '../../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp({ WEBHOOK_SECRET_FAL: 'x'.repeat(32) });
});
afterAll(() => t.close());

const source = { type: 'base64', data: png(2, 2).toString('base64') };
const ann = asUser('ann');
const call = async (method: 'POST' | 'PUT' | 'PATCH', url: string, payload: object) => {
  const answer = await t.app.inject({
    method,
    url,
    headers: { 'content-type': 'application/json', ...ann },
    payload: JSON.stringify(payload),
  });
  return { status: answer.statusCode, body: answer.json() };
};

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  oneOf?: Schema[];
}

/** The schema of each operation's JSON body. */
function bodies(): { operationId: string; method: string; path: string; schema: Schema }[] {
  const document = JSON.parse(t.app.openapiText('json').toString()) as {
    paths: Record<
      string,
      Record<string, { operationId: string; requestBody?: { content: Record<string, { schema: Schema }> } }>
    >;
    components: { schemas: Record<string, Schema> };
  };
  const named = ({ $ref, ...schema }: Schema): Schema =>
    $ref === undefined ? schema : (document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {});
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { operationId, requestBody }]) => {
      const json = requestBody?.content['application/json'];
      return json && !path.includes('/webhooks/') ? [{ operationId, method, path, schema: named(json.schema) }] : [];
    }),
  );
}

describe('null in a request', () => {
  test('is documented for every optional field, and never refused because of its type', async () => {
    expect(bodies().length).toBeGreaterThan(12);
    for (const { operationId, method, path, schema } of bodies()) {
      const optional = Object.keys(schema.properties ?? {}).filter((name) => schema.required?.includes(name) !== true);
      const url = path
        .replace('{projectId}', 'a1b2c3d4-0000-4000-8000-000000000001')
        .replace('{provider}', 'fal')
        .replace(/\{\w+\}/g, '1');
      for (const name of optional) {
        const { body } = await call(method.toUpperCase() as 'POST', url, { [name]: null });
        expect([operationId, name, body.field === name && /must be/.test(body.detail)]).toEqual([
          operationId,
          name,
          false,
        ]);
      }
    }
  });

  test('what an item answered can be sent back when another one is stored', async () => {
    const made = (await call('POST', '/v1/media', { source, prompt: 'a fox' })).body;
    const accepted = Object.keys(
      bodies().find(({ operationId }) => operationId === 'createMedia')?.schema.properties ?? {},
    );
    const again = Object.fromEntries(Object.entries(made).filter(([name]) => accepted.includes(name)));
    expect(Object.values(again).filter((value) => value === null).length).toBeGreaterThan(8);
    const second = await call('POST', '/v1/media', { ...again, source });
    expect(second.status).toBe(201);
    const { id: _id, ...rest } = second.body;
    expect(rest).toMatchObject({ prompt: 'a fox', model: null, generatedAt: null, tags: [] });
  });

  test('a null in free JSON stays, and a required field takes none', async () => {
    const { body } = await call('POST', '/v1/media', { source, metadata: { a: null }, generation: null });
    expect(body.metadata).toEqual({ a: null });
    expect((await call('POST', '/v1/runs', { inputText: null })).body).toMatchObject({
      status: 400,
      field: 'inputText',
    });
  });

  test('in PATCH it clears what may be empty, and leaves the rest as it is', async () => {
    const given = {
      tags: ['a'],
      metadata: { a: 1 },
      prompt: 'fox',
      filename: 'fox.png',
      expiresAt: '2030-01-01T00:00:00Z',
    };
    const { id } = (await call('POST', '/v1/media', { source, visibility: 'public', ...given })).body;
    const cleared = { tags: [], metadata: {}, prompt: '', filename: null, expiresAt: null };
    for (const name of Object.keys(given)) {
      const { status, body } = await call('PATCH', `/v1/media/${id}`, { [name]: null });
      expect([name, status, body[name]]).toEqual([name, 200, cleared[name as keyof typeof cleared]]);
    }
    expect((await call('PATCH', `/v1/media/${id}`, { visibility: null })).body).toMatchObject({ visibility: 'public' });
    expect((await call('PATCH', `/v1/media/${id}`, { filename: 'wolf.png' })).body.filename).toBe('wolf.png');
    const found = await t.app.inject({ url: '/v1/media?q=wolf', headers: ann });
    expect(found.json().items.map((item: { id: string }) => item.id)).toEqual([id]);
  });
});

describe('lists as axios and PHP name them', () => {
  const raw = (query: string) =>
    t.app.inject({
      method: 'POST',
      url: `/v1/media?${query}`,
      headers: { 'content-type': 'image/png', ...ann },
      payload: png(3, 3),
    });

  test.each([
    'tags[]=a&tags[]=b',
    'tags%5B%5D=a&tags%5B%5D=b',
    'tags[0]=a&tags[1]=b',
    'tags=a&tags[]=b',
    'tags=a&tags=b',
  ])('fields in the query: %s', async (query) => {
    expect((await raw(query)).json().tags).toEqual(['a', 'b']);
  });

  test.each(['tag[]=one&tag[]=two', 'tags[]=one&tags[]=two', 'tag[0]=one&tag[1]=two'])(
    'a search: %s',
    async (query) => {
      const both = (await raw('tags=one&tags=two')).json().id;
      await raw('tags=one');
      const found = await t.app.inject({ url: `/v1/media?${query}`, headers: ann });
      expect(found.json().items.map((item: { id: string }) => item.id)).toContain(both);
      expect(found.json().items.every(({ tags }: { tags: string[] }) => tags.includes('two'))).toBe(true);
    },
  );

  test('a name that is no list stays unknown', async () => {
    expect((await raw('prompt[]=a')).json()).toMatchObject({ status: 400, code: 'invalid_request' });
    expect((await t.app.inject({ url: '/v1/media?nonsense[]=1', headers: ann })).statusCode).toBe(400);
  });

  test('fields of a form, and metadata as text, as JSON, and as a file', async () => {
    const file = { name: 'file', value: png(4, 4), filename: 'a.png' };
    const json = JSON.stringify({ a: 1 });
    for (const metadata of [
      { name: 'metadata', value: json },
      { name: 'metadata', value: json, type: 'application/json' },
      { name: 'metadata', value: json, type: 'application/json; charset=utf-8', filename: 'blob' },
      { name: 'metadata', value: json, type: 'application/octet-stream', filename: 'metadata.json' },
      { name: 'metadata', value: `\ufeff${json}` },
      { name: 'metadata', value: `\ufeff${json}`, type: 'application/json', filename: 'metadata.json' },
    ])
      for (const parts of [
        [metadata, file],
        [file, metadata],
      ]) {
        const form = multipart([{ name: 'tags[]', value: 'a' }, { name: 'tags[1]', value: 'b' }, ...parts]);
        const made = await t.app.inject({
          method: 'POST',
          url: '/v1/media',
          ...form,
          headers: { ...form.headers, ...ann },
        });
        expect(made.json()).toMatchObject({ tags: ['a', 'b'], metadata: { a: 1 } });
      }
    const form = multipart([{ name: 'tags', value: '["x","y"]', type: 'application/json' }, file]);
    const made = await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      ...form,
      headers: { ...form.headers, ...ann },
    });
    expect(made.json().tags).toEqual(['x', 'y']);
    const broken = multipart([{ name: 'metadata', value: '{', type: 'application/json' }, file]);
    const refused = await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      ...broken,
      headers: { ...broken.headers, ...ann },
    });
    expect(refused.json()).toMatchObject({ status: 400, code: 'invalid_json', field: 'metadata' });
  });
});

describe('an empty field of a form', () => {
  const file = { name: 'file', value: png(5, 5), filename: 'a.png' };
  const form = async (...parts: Part[]) => {
    const made = multipart(parts);
    const answer = await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      ...made,
      headers: { ...made.headers, ...ann },
    });
    return { status: answer.statusCode, body: answer.json() };
  };
  const fields = Object.keys(IngestFields.properties);

  test('is left out, as browsers and axios write what has no value, whichever field it is', async () => {
    for (const name of [...fields, 'tags[]', 'tags[0]'])
      for (const parts of [
        [{ name, value: '' }, file],
        [file, { name, value: '' }],
        [{ name, value: 'null', type: 'application/json' }, file],
      ]) {
        const { status, body } = await form(...parts);
        expect([name, status, body.detail]).toEqual([name, 201, undefined]);
        expect(body).toMatchObject({ tags: [], metadata: {}, filename: 'a.png', visibility: 'private', userId: 'ann' });
      }
    for (const name of ['metadata', 'generation']) expect((await form({ name, value: 'null' }, file)).status).toBe(201);
  });

  test('beside others changes nothing, and one that nobody knows is still refused', async () => {
    const parts = [
      { name: 'tags[]', value: '' },
      { name: 'tags[]', value: 'fox' },
      { name: 'prompt', value: '' },
      { name: 'prompt', value: 'a fox' },
    ];
    expect((await form(...parts, file)).body).toMatchObject({ tags: ['fox'], prompt: 'a fox' });
    expect((await form({ name: 'promt', value: '' }, file)).body).toMatchObject({ status: 400, field: 'promt' });
    expect((await form({ name: 'prompt', value: 'null' }, file)).body.prompt).toBe('null');
  });
});

test('a part `file` without a file name is told so, whatever it holds', async () => {
  const file = { name: 'file', value: png(5, 6), filename: 'a.png' };
  for (const value of ['text', png(3, 3), Buffer.alloc(400_000, 0xff), ''])
    for (const type of [undefined, 'image/png', 'text/plain; charset=utf-16', 'application/json'])
      for (const others of [[], [file]])
        for (const parts of [
          [{ name: 'file', value, ...(type !== undefined && { type }) }, ...others],
          [...others, { name: 'file', value, ...(type !== undefined && { type }) }],
        ]) {
          const made = multipart(parts);
          const headers = { ...made.headers, ...ann };
          const answer = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: made.payload });
          expect(answer.json()).toMatchObject({ status: 400, code: 'invalid_multipart', field: 'file' });
          expect(answer.json().detail).toContain('no file name');
        }
});
