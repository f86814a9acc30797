import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, asAdmin, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(() => t.close());

interface Parameter {
  name: string;
  in: string;
}
interface Schema {
  $ref?: string;
  properties?: Record<string, unknown>;
  additionalProperties?: unknown;
}
interface Document {
  paths: Record<
    string,
    Record<string, { parameters?: Parameter[]; requestBody?: { content: Record<string, { schema?: Schema }> } }>
  >;
  components: { schemas: Record<string, Schema> };
}

/** Path parameters whose format is checked. */
const UUID = '00000000-0000-4000-8000-000000000001';
const VALUES: Readonly<Record<string, string>> = { id: '1', runId: UUID, projectId: UUID, provider: 'runpod' };

/** Every operation of the document, with its path filled in. */
function operations() {
  const { paths, components } = t.app.swagger() as unknown as Document;
  const resolved = (schema: Schema | undefined) =>
    schema?.$ref === undefined ? schema : components.schemas[schema.$ref.split('/').at(-1) ?? ''];
  return Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody }]) => ({
      method: method.toUpperCase() as 'GET',
      path: template.replaceAll(/\{(\w+)\}/g, (_all, name: string) => VALUES[name] ?? 'x'),
      query: parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name),
      body: resolved(requestBody?.content['application/json']?.schema),
      types: Object.keys(requestBody?.content ?? {}),
    })),
  );
}

interface Problem {
  code: string;
  detail: string;
  field: string;
}

test('a misspelt query parameter is answered with the nearest one, on every route that has parameters', async () => {
  const tried: string[] = [];
  for (const { method, path, query, types } of operations()) {
    for (const name of query) {
      const typo = `${name}z`;
      // A route with a body checks the query when it reads the fields of a raw body.
      const raw = types.includes('application/octet-stream');
      const response = await t.app.inject({
        method,
        url: `${path}?${typo}=1`,
        headers: { ...asAdmin(), ...(raw && { 'content-type': 'application/octet-stream' }) },
        ...(raw && { payload: Buffer.from('x') }),
      });
      if (response.statusCode !== 400) continue;
      const { code, detail, field } = response.json<Problem>();
      expect({ code, detail, field }).toEqual({
        code: 'invalid_request',
        detail: `'${typo}' is not a known field here; did you mean '${name}'?`,
        field: typo,
      });
      tried.push(`${method} ${path} ${name}`);
    }
  }
  expect(tried.length).toBeGreaterThan(30);
  expect(tried).toEqual(expect.arrayContaining(['GET /v1/media tag', 'GET /v1/tags prefix', 'POST /v1/media prompt']));
});

test('a misspelt field of a JSON body is answered with the nearest one, on every route that refuses unknown fields', async () => {
  const tried: string[] = [];
  for (const { method, path, body } of operations()) {
    if (body?.additionalProperties !== false) continue;
    for (const name of Object.keys(body.properties ?? {})) {
      const typo = `${name}_z`;
      const response = await t.app.inject({ method, url: path, headers: asAdmin(), payload: { [typo]: 1 } });
      const { code, detail } = response.json<Problem>();
      // A missing field is reported first.
      if (detail.includes('is missing')) continue;
      expect(code, `${method} ${path}`).toBe('invalid_request');
      expect(detail).toBe(`'${typo}' is not a known field here; did you mean '${name}'?`);
      tried.push(`${method} ${path} ${name}`);
    }
  }
  expect(tried.length).toBeGreaterThan(10);
});

test.each([['/v1/media?user_id=1', 'GET']])('%s', async (url) => {
  const { detail } = (await t.app.inject({ url, headers: asAdmin() })).json<Problem>();
  expect(detail).toMatch(/did you mean '(tags|userId)'\?$/);
});

test.each(['{', '[1]', '"x"', '1', 'null', '%00', '{"a":1e999}'])(
  'a metadata filter that is no JSON object has a code of its own: %s',
  async (text) => {
    const response = await t.app.inject({ url: `/v1/media?metadata=${encodeURIComponent(text)}`, headers: asAdmin() });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ code: 'invalid_metadata', field: 'metadata' });
  },
);
