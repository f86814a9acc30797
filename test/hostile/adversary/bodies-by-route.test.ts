import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { head, sendRaw } from '../../support/raw-http.ts';
import { type TestApp, asAdmin, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let address: string;
beforeAll(async () => {
  t = await createTestApp({
    WEBHOOK_SECRET_RUNPOD: 'secret-of-runpod',
    WEBHOOK_SECRET_REPLICATE: `whsec_${Buffer.from('replicate-key-replicate-key').toString('base64')}`,
    CORS_ORIGINS: 'https://app.example.com',
  });
  address = await t.listen();
});
afterAll(() => t.close());

const admin: [string, string] = ['Authorization', asAdmin().authorization];

interface Operation {
  method: string;
  /** With its parameters filled in. */
  path: string;
  /** Content types that the document names. */
  takes: string[];
  /** Needs no token. */
  open: boolean;
}

const VALUES: Readonly<Record<string, string>> = {
  id: '1',
  provider: 'runpod',
  projectId: 'a1b2c3d4-0000-4000-8000-000000000001',
};

/** Every operation of the document that may have a body. */
function operations(): Operation[] {
  const { paths } = t.app.swagger() as unknown as {
    paths: Record<string, Record<string, { requestBody?: { content: object }; security?: object[] }>>;
  };
  return Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).flatMap(([method, { requestBody, security }]) =>
      ['get', 'head'].includes(method)
        ? []
        : [
            {
              method: method.toUpperCase(),
              path: template.replace(/\{(\w+)\}/g, (_all, name: string) => VALUES[name] ?? 'x'),
              takes: Object.keys(requestBody?.content ?? {}),
              open: security?.length === 0,
            },
          ],
    ),
  );
}

const TYPES = [
  'application/json',
  'application/problem+json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain',
  'application/octet-stream',
  'image/png',
  'image/svg+xml',
  'audio/mpeg',
  'video/mp4',
  'model/gltf-binary',
  'application/xml',
  'nonsense',
];

/** Whether the operation accepts that type; the document lists only some media types. */
function suits({ takes, path }: Operation, type: string): boolean {
  if (path.includes('/webhooks/')) return true;
  const name = type.split(';')[0] ?? '';
  // Operations without fields accept `{}`.
  if (takes.length === 0) return name === 'application/json';
  if (takes.includes(name)) return true;
  return takes.includes('image/png') && /^(image|audio|video|model)\//.test(name);
}

/** The status that the head alone causes; the body is never sent. */
const statusOf = async (operation: Operation, headers: [string, string][], pieces: string[] = []) =>
  (
    await sendRaw(address, [head(operation.method, operation.path, [admin, ...headers]), ...pieces], {
      patience: 4000,
      then: 'answer',
    })
  ).status;

test('the table has every operation with a body of the document', () => {
  expect(operations().length).toBeGreaterThan(20);
});

describe.each(TYPES)('a body of type %s', (type) => {
  test('is refused with 415 at its head where it is not accepted, and only there', async () => {
    const wrong: string[] = [];
    for (const operation of operations().filter((each) => !each.open)) {
      if (suits(operation, type)) continue;
      // 50 MB are announced but not sent: a response shows that the service did not wait for them.
      const status = await statusOf(operation, [
        ['Content-Type', type],
        ['Content-Length', '50000000'],
      ]);
      if (status !== 415) wrong.push(`${operation.method} ${operation.path}: ${status}`);
    }
    expect(wrong).toEqual([]);
  });

  test('that is chunked is refused at its first byte where it is not accepted', async () => {
    const wrong: string[] = [];
    for (const operation of operations().filter((each) => !each.open)) {
      if (suits(operation, type)) continue;
      const status = await statusOf(
        operation,
        [
          ['Content-Type', type],
          ['Transfer-Encoding', 'chunked'],
        ],
        ['1\r\nx\r\n'],
      );
      if (status !== 415) wrong.push(`${operation.method} ${operation.path}: ${status}`);
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    ['of length 0', [['Content-Length', '0']], []],
    ['chunked without a byte', [['Transfer-Encoding', 'chunked']], ['0\r\n\r\n']],
  ] as [string, [string, string][], string[]][])(
    'a body %s counts as none: its type is ignored',
    async (_name, headers, pieces) => {
      const wrong: string[] = [];
      for (const operation of operations()) {
        const without = await statusOf(operation, []);
        const status = await statusOf(operation, [['Content-Type', type], ...headers], pieces);
        if (status !== without || status === 415 || status >= 500)
          wrong.push(`${operation.method} ${operation.path}: ${status}, without a type ${without}`);
      }
      expect(wrong).toEqual([]);
    },
  );
});

test('a picture where JSON is expected is refused at once, and the process survives', async () => {
  const response = await fetch(`${address}/api/images/save`, {
    method: 'POST',
    headers: { ...asAdmin(), 'content-type': 'image/png' },
    body: 'x',
  });
  expect(response.status).toBe(415);
  expect(await response.json()).toMatchObject({ code: 'unsupported_content_type' });
  expect((await fetch(`${address}/health/live`)).status).toBe(200);
});

test('fields are refused where none are accepted, {} is not', async () => {
  const url = `${address}/v1/media/999999/restore`;
  const post = (body: string) =>
    fetch(url, { method: 'POST', headers: { ...asAdmin(), 'content-type': 'application/json' }, body });
  expect((await post('{}')).status).toBe(404);
  expect(await (await post('{"tags":["x"]}')).json()).toMatchObject({ status: 400, code: 'invalid_request' });
  expect((await post(`{"x":"${'x'.repeat(5000)}"}`)).status).toBe(400);
});

test('a form sent to a JSON route closes no run and registers no job', async () => {
  const json = { ...asAdmin(), 'content-type': 'application/json' };
  const run = (await (
    await fetch(`${address}/v1/runs`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ userId: 'alice', inputText: 'in' }),
    })
  ).json()) as { runId: string };
  const form = () => {
    const data = new FormData();
    data.append('transformedText', 'out');
    return data;
  };
  const complete = await fetch(`${address}/v1/runs/${run.runId}/complete`, {
    method: 'POST',
    headers: asAdmin(),
    body: form(),
  });
  expect(complete.status).toBe(415);
  const after = (await (await fetch(`${address}/v1/runs/${run.runId}`, { headers: asAdmin() })).json()) as object;
  expect(after).toMatchObject({ status: 'open' });
  const job = await fetch(`${address}/v1/jobs/runpod/by-form`, { method: 'PUT', headers: asAdmin(), body: form() });
  expect(job.status).toBe(415);
  expect((await fetch(`${address}/v1/jobs/runpod/by-form`, { headers: asAdmin() })).status).toBe(404);
});

describe('nothing of a body is read before the caller is authenticated', () => {
  const BAD: readonly (readonly [string, [string, string][]])[] = [
    ['no token', []],
    ['a token that is none', [['Authorization', 'Bearer x.y.z']]],
    ['another scheme', [['Authorization', 'Basic eDp5']]],
  ];
  test.each(BAD)('with %s every operation refuses at the head', async (_name, headers) => {
    const wrong: string[] = [];
    for (const { method, path, open } of operations()) {
      for (const type of ['application/json', 'image/png', 'multipart/form-data; boundary=x']) {
        const { status } = await sendRaw(
          address,
          [head(method, path, [...headers, ['Content-Type', type], ['Content-Length', '50000000']])],
          { patience: 4000, then: 'answer' },
        );
        // A missing ticket is 403; a webhook without proof 401.
        if (!(open ? [400, 401, 403] : [401]).includes(status)) wrong.push(`${method} ${path} ${type}: ${status}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    ['an unknown path', 'POST', '/v1/nothing', 404, undefined],
    ['an unknown path below a known one', 'PUT', '/v1/media/1/nothing', 404, undefined],
    ['a method that the path does not have', 'POST', '/v1/media/1', 405, 'DELETE, GET, HEAD, PATCH'],
    ['a method of a path with a wildcard', 'POST', '/uploads/a/b.png', 405, 'GET, HEAD'],
    ['a method that no path has', 'PROPFIND', '/v1/media', 405, 'GET, HEAD, POST'],
    ['a method of the documentation', 'DELETE', '/openapi.json', 405, 'GET, HEAD'],
    ['an unknown provider', 'POST', '/v1/webhooks/nobody', 400, undefined],
  ])('%s is refused at the head, token or not', async (_name, method, path, status, allow) => {
    for (const headers of [[], [admin]] as [string, string][][]) {
      const answer = await sendRaw(
        address,
        [head(method, path, [...headers, ['Content-Type', 'application/json'], ['Content-Length', '50000000']])],
        { patience: 4000, then: 'answer' },
      );
      expect(answer.status).toBe(status);
      expect(/^allow: (.*)$/im.exec(answer.head)?.[1]).toBe(allow);
      expect(JSON.parse(answer.body)).toHaveProperty('code');
    }
  });

  test('a CORS preflight of an allowed page is still answered', async () => {
    const response = await fetch(`${address}/v1/media`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example.com', 'access-control-request-method': 'POST' },
    });
    expect(response.status).toBe(204);
    const refused = await fetch(`${address}/v1/media/1`, {
      method: 'POST',
      headers: { origin: 'https://app.example.com' },
    });
    expect(refused.status).toBe(405);
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
  });

  test('a refused sender that waits for 100 Continue does not get it', async () => {
    const continued: string[] = [];
    for (const [headers, path] of [
      [[], '/v1/media'],
      [[admin], '/v1/nothing'],
      [[admin], '/v1/runs'],
    ] as [[string, string][], string][]) {
      const { text } = await sendRaw(
        address,
        [
          head('POST', path, [
            ...headers,
            ['Content-Type', 'image/png'],
            ['Content-Length', '50000000'],
            ['Expect', '100-continue'],
          ]),
        ],
        { patience: 4000, then: 'answer' },
      );
      if (text.includes('100 Continue')) continued.push(path);
    }
    expect(continued).toEqual([]);
  });

  test('an accepted sender that waits for 100 Continue gets it, in every form', async () => {
    for (const [type, body] of [
      ['application/json', '{"userId":"alice","status":"failed","error":"none"}'],
      ['image/png', 'not a picture'],
      ['multipart/form-data; boundary=x', '--x--\r\n'],
    ] as const) {
      const { text } = await sendRaw(
        address,
        [
          head('POST', type === 'image/png' ? '/v1/media?userId=alice' : '/v1/media', [
            admin,
            ['Content-Type', type],
            ['Content-Length', String(body.length)],
            ['Expect', '100-continue'],
          ]),
          body,
        ],
        { pause: 100, patience: 4000, then: 'answer' },
      );
      expect(text, type).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 (201|400|415)/);
    }
  });
});

test.each(['Host', 'Authorization', 'Content-Type'])('two headers %s are refused with 400', async (name) => {
  const { status, body } = await sendRaw(address, [
    `GET /v1/media HTTP/1.1\r\nHost: media.test\r\nConnection: close\r\n${name}: a\r\n${name}: a\r\n\r\n`,
  ]);
  expect(status).toBe(400);
  expect(JSON.parse(body)).toMatchObject({ code: 'invalid_request' });
});

test('a request without Host is refused with a problem like any other', async () => {
  const { status, body } = await sendRaw(address, ['GET /v1/media HTTP/1.1\r\nConnection: close\r\n\r\n']);
  expect(status).toBe(400);
  expect(JSON.parse(body)).toMatchObject({
    code: 'invalid_request',
    detail: expect.stringContaining('Host') as string,
  });
});

test('a missing file of the documentation is 404, not 405', async () => {
  expect((await fetch(`${address}/docs/static/nothing.js`)).status).toBe(404);
});
