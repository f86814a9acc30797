import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
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

const upload = () =>
  t.app.inject({
    method: 'POST',
    url: '/v1/media?userId=u',
    headers: { ...asAdmin(), 'content-type': 'image/png' },
    payload: png(),
  });

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

test('a parameter that a route does not take is refused, also where it takes none', async () => {
  const silent: string[] = [];
  for (const { method, path } of operations()) {
    const open = /^\/(health|metrics|api|uploads)|webhooks|signed|content$/.test(path);
    const response = await t.app.inject({ method, url: `${path}?colour=red`, headers: asAdmin() });
    if (response.statusCode < 300 && !open) silent.push(`${method} ${path}`);
  }
  expect(silent).toEqual([]);
  const { id } = (await upload()).json<{ id: string }>();
  const read = await t.app.inject({ url: `/v1/media/${id}?colour=red`, headers: asAdmin() });
  expect(read.json()).toMatchObject({
    code: 'invalid_request',
    detail: "'colour' is not a known field here; nothing is taken here.",
  });
  const run = await t.app.inject({
    method: 'POST',
    url: '/v1/runs?userId=other',
    headers: asAdmin(),
    payload: { inputText: 'x' },
  });
  expect(run.statusCode).toBe(400);
});

test('the URL of a file may have parameters of others, but no misspelt one of its own', async () => {
  const { id } = (await upload()).json<{ id: string }>();
  const status = async (query: string) =>
    (await t.app.inject({ url: `/v1/media/${id}/content?${query}`, headers: asAdmin() })).statusCode;
  for (const query of ['v=2', 't=1', 'p=1', 'cache=no', 'utm_source=mail', 'strip=metadata'])
    expect(await status(query)).toBe(200);
  for (const query of ['stripp=metadata', 'Strip=metadata', 'strip_=metadata', 'downlaod=1'])
    expect(await status(query)).toBe(400);
});

test.each([
  ['GET', '/v1/media?limit=1&limit=2', "'limit' is given more than once; give it once."],
  ['GET', '/v1/media?q=a&q=b', "'q' is given more than once; give it once."],
  ['GET', '/v1/media?limit=many', "'limit' must be a whole number."],
  ['GET', '/v1/media?limit=0', "'limit' must be at least 1."],
  ['GET', '/v1/media?limit=1000', "'limit' must be at most 200."],
  ['GET', '/v1/media?q=', "'q' must not be empty."],
  ['GET', '/v1/media?includeTotal=1', "'includeTotal' must be true or false."],
  ['GET', '/v1/media?sha256=abc', "'sha256' must be a SHA-256: 64 hexadecimal digits."],
  ['GET', '/v1/media?tool=paint', "'tool' is not a known field here; did you mean 'toolName'?"],
  ['GET', '/v1/media?user=u', "'user' is not a known field here; did you mean 'userId'?"],
  ['GET', '/v1/media?type=image', "'type' is not a known field here; did you mean 'mediaType'?"],
  ['GET', '/v1/runs?offset=3', "'offset' is not a known field here; known are: userId, status, limit, cursor."],
  ['GET', '/v1/media/x', "'id' must be digits alone, like 42."],
  ['GET', '/v1/tasks/7', "'id' must be a UUID like 123e4567-e89b-42d3-a456-426614174000."],
] as const)('%s %s is answered with what to change', async (method, url, detail) => {
  const response = await t.app.inject({ method, url, headers: asAdmin() });
  expect([response.statusCode, response.json<Problem>().detail]).toEqual([400, detail]);
});

test('an empty change and texts that are too long are answered with what may be sent', async () => {
  const { id } = (await upload()).json<{ id: string }>();
  const change = async (payload: object) =>
    (await t.app.inject({ method: 'PATCH', url: `/v1/media/${id}`, headers: asAdmin(), payload })).json<Problem>()
      .detail;
  expect(await change({})).toMatch(/^the body must have at least one of: .*prompt/);
  expect(await change({ tags: 1 })).toBe("'tags' must be a list.");
  expect(await change({ prompt: ['a', 'b'] })).toMatch(/^'prompt' must be a text/);
  expect(await change([])).toBe('the body must be an object.');
  expect(await change({ tags: ['x'.repeat(300)] })).toMatch(/^'tags.0' must have at most \d+ characters\.$/);
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
