// Case numbers in titles are those of the table in docs/threat-model.md.
import { TIMING } from '../../src/http/connections/timing.ts';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RawAnswer, head, sendRaw } from '../support/raw-http.ts';
import { bigPng, multipart, png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asUser, createTestApp } from '../support/test-app.ts';
import { until } from '../support/until.ts';
import { type Traces, expectNoSecretsLogged, expectTraces, traces } from '../support/traces.ts';

let t: TestApp;
let address: string;
let before: Traces;
const { authorization } = asUser('alice');

beforeAll(async () => {
  t = await createTestApp(
    {},
    { timing: { ...TIMING, idleMs: 2000, headersMs: 300, checkMs: 50, bodyRate: { windowMs: 600, minBytes: 1000 } } },
  );
  address = await t.listen();
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET, authorization]);
  await t.close();
});
beforeEach(async () => {
  // Of the test before, the removal of what was interrupted may still be under way.
  await until(async () => (await traces(t)).intents === 0);
  before = await traces(t);
});
/** Whatever was sent: nothing is half stored, and the same process still responds. */
afterEach(async () => {
  await expectTraces(t, before);
  expect((await fetch(`${address}/health/ready`)).status).toBe(200);
});

const file = png(2, 2, 1);
const upload = (headers: readonly (readonly [string, string])[], path = '/v1/media') =>
  head('POST', path, [['Authorization', authorization], ...headers]);
const IMAGE = ['Content-Type', 'image/png'] as const;
const FORM = ['Content-Type', 'multipart/form-data; boundary=b'] as const;
const lengthOf = (body: string | Buffer) => ['Content-Length', String(Buffer.byteLength(body))] as const;

function expectProblem(answer: RawAnswer, status: number, ...codes: string[]): void {
  expect(answer.status).toBe(status);
  expect(answer.head.toLowerCase()).toContain('content-type: application/problem+json');
  const problem = JSON.parse(answer.body) as { status: number; code: string; requestId: string };
  expect(problem.status).toBe(status);
  expect(codes).toContain(problem.code);
  expect(problem.requestId).not.toBe('');
}

test.each(['gzip', 'GZIP', 'deflate', 'br', 'zstd', 'identity, gzip', 'x'])(
  'case 30: a body with Content-Encoding %s is refused, not unpacked and not stored packed',
  async (encoding) => {
    for (const [type, payload] of [
      ['image/png', file],
      ['application/json', Buffer.from('{}')],
    ] as const) {
      const headers = { 'content-type': type, 'content-encoding': encoding, authorization };
      const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: gzipSync(payload) });
      expect(response.json()).toMatchObject({ status: 415, code: 'unsupported_content_type' });
    }
  },
);

test('case 30: gzip without a Content-Encoding is refused, because it is not media', async () => {
  const headers = { 'content-type': 'image/png', authorization };
  const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: gzipSync(file) });
  expect(response.json()).toMatchObject({ status: 415, code: 'unsupported_media' });
});

test.each([
  ['negative', [['Content-Length', '-5']]],
  [
    'twice and different',
    [
      ['Content-Length', '5'],
      ['Content-Length', '6'],
    ],
  ],
  [
    'twice and the same',
    [
      ['Content-Length', '5'],
      ['Content-Length', '5'],
    ],
  ],
  ['a list', [['Content-Length', '5, 5']]],
  ['with a sign', [['Content-Length', '+5']]],
  ['hexadecimal', [['Content-Length', '0x5']]],
  ['beyond 2^64', [['Content-Length', '99999999999999999999']]],
  [
    'with Transfer-Encoding',
    [
      ['Content-Length', '5'],
      ['Transfer-Encoding', 'chunked'],
    ],
  ],
  ['hidden behind an unknown Transfer-Encoding', [['Transfer-Encoding', 'xchunked']]],
] as const)('case 33: a Content-Length that is %s is refused and the connection closed', async (_name, headers) => {
  expectProblem(await sendRaw(address, [upload([IMAGE, ...headers]), file]), 400, 'invalid_request');
});

test('case 33: a chunk whose size is no number is refused', async () => {
  const pieces = [upload([IMAGE, ['Transfer-Encoding', 'chunked']]), 'zz\r\nabc\r\n'];
  expect((await sendRaw(address, pieces)).status).toBe(400);
});

test('case 33: bytes beyond the Content-Length are neither part of the file nor a request of another kind', async () => {
  const smuggled = `DELETE /v1/media/1?purge=true HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`;
  const short = png(1, 1, 2);
  const answer = await sendRaw(address, [upload([IMAGE, lengthOf(short)]), short, smuggled]);
  expect(answer.text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  const { items } = (await t.app.inject({ url: '/v1/media', headers: { authorization } })).json();
  for (const item of items) {
    expect(item.bytes).toBe(short.length);
    await t.app.inject({ method: 'DELETE', url: `/v1/media/${item.id}?purge=true`, headers: { authorization } });
  }
});

test.each([
  ['a raw body', IMAGE, file],
  ['a form', FORM, multipart([{ name: 'file', value: file, filename: 'a.png' }], 'b').payload],
  ['JSON', ['Content-Type', 'application/json'] as const, Buffer.from('{"status":"failed","error":"x"}')],
])('case 33: %s shorter than its Content-Length is not kept, not even in part', async (_name, type, body) => {
  const length = ['Content-Length', String(body.length + 10)] as const;
  const answer = await sendRaw(address, [upload([type, length]), body], { then: 'end' });
  expect(answer.status === 0 || (answer.status >= 400 && answer.status < 500)).toBe(true);
});

test.each(['GET / HTTP/1.1\r\nHost: a\r\n', 'G', 'POST /v1/media HTTP/1.1\r\nContent-Length: 5\r\nX-'])(
  'case 34: a head that stops after %j is ended with 408',
  async (start) => {
    expectProblem(await sendRaw(address, [start]), 408, 'request_timeout');
  },
);

test('case 34: a slow head is ended with 408, although each byte is in time', async () => {
  const drips = [...`GET /health/live HTTP/1.1\r\nHost: a\r\nX-Slow: ${'a'.repeat(60)}`];
  const started = performance.now();
  expectProblem(await sendRaw(address, drips, { pause: 40 }), 408, 'request_timeout');
  expect(performance.now() - started).toBeLessThan(3000);
});

test('case 34: a head of more than 32 KiB is refused', async () => {
  expectProblem(await sendRaw(address, [upload([['X-Long', 'a'.repeat(40_000)]])]), 431, 'headers_too_large');
});

test('case 34: a head that is refused is answered also where the connection has served a request before', async () => {
  const first = `GET /health/live HTTP/1.1\r\nHost: media.test\r\n\r\n`;
  const long = upload([['X-Long', 'a'.repeat(40_000)]]);
  const { text } = await sendRaw(address, [first, long], { pause: 200 });
  const answers = text.split(/(?=HTTP\/1\.1 )/).map((answer) => answer.slice(9, 12));
  expect(answers).toEqual(['200', '431']);
  expect(text).toContain('"code":"headers_too_large"');
});

const filePart = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
const drip = (text: Buffer | string) => [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
test.each([
  ['a raw body that is never sniffed', [upload([IMAGE, ['Content-Length', '90000']]), ...drip(bigPng(60))]],
  [
    'a raw body after its head',
    [upload([IMAGE, ['Content-Length', '900000']]), bigPng(200_000), ...drip('x'.repeat(60))],
  ],
  [
    'a form in a field',
    [
      upload([FORM, ['Content-Length', '90000']]),
      '--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n',
      ...drip('x'.repeat(60)),
    ],
  ],
  [
    'a form in its file',
    [upload([FORM, ['Content-Length', '900000']]), filePart, bigPng(200_000), ...drip('x'.repeat(60))],
  ],
  [
    'a form after its file',
    [
      upload([FORM, ['Content-Length', '90000']]),
      filePart,
      file,
      '\r\n--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n',
      ...drip('x'.repeat(60)),
    ],
  ],
  [
    'JSON',
    [
      upload([
        ['Content-Type', 'application/json'],
        ['Content-Length', '90000'],
      ]),
      ...drip(`{"prompt":"${'x'.repeat(60)}`),
    ],
  ],
  [
    'JSON of a batch',
    [
      upload(
        [
          ['Content-Type', 'application/json'],
          ['Content-Length', '90000'],
        ],
        '/v1/batches',
      ),
      '{"items":[',
      ...drip('x'.repeat(60)),
    ],
  ],
])('case 35: %s that is sent too slowly is ended with 408', async (_name, pieces) => {
  const started = performance.now();
  expectProblem(await sendRaw(address, pieces, { pause: 25 }), 408, 'request_timeout');
  expect(performance.now() - started).toBeLessThan(5000);
});

test('case 35: a body that is slow but makes progress is stored', async () => {
  const slow = bigPng(12_000, 7);
  const pieces = Array.from({ length: 12 }, (_value, index) => slow.subarray(index * 1000, index * 1000 + 1000));
  const answer = await sendRaw(address, [upload([IMAGE, lengthOf(slow)]), ...pieces], { pause: 100 });
  expect(answer.status).toBe(201);
  const { id } = JSON.parse(answer.body);
  await t.app.inject({ method: 'DELETE', url: `/v1/media/${id}?purge=true`, headers: { authorization } });
});

test('case 35: an idle connection is closed', async () => {
  const answer = await sendRaw(address, ['']);
  expect(answer.status === 0 || answer.status === 408).toBe(true);
});

// oxlint-disable-next-line vitest/expect-expect -- afterEach compares what was left
test.each([
  ['a raw body', [upload([IMAGE, ['Content-Length', '900000']]), bigPng(300_000)]],
  ['a raw body within the first bytes', [upload([IMAGE, ['Content-Length', '900000']]), file]],
  [
    'a chunked body',
    [upload([IMAGE, ['Transfer-Encoding', 'chunked']]), `${(300_000).toString(16)}\r\n`, bigPng(300_000), '\r\n'],
  ],
  ['a file of a form', [upload([FORM, ['Content-Length', '900000']]), filePart, bigPng(300_000)]],
  [
    'a field of a form',
    [upload([FORM, ['Content-Length', '900000']]), '--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nabc'],
  ],
  [
    'a field after the file',
    [
      upload([FORM, ['Content-Length', '900000']]),
      filePart,
      file,
      '\r\n--b\r\nContent-Disposition: form-data; name="tags"\r\n\r\nab',
    ],
  ],
  [
    'JSON',
    [
      upload([
        ['Content-Type', 'application/json'],
        ['Content-Length', '90000'],
      ]),
      '{"source":',
    ],
  ],
])('case 36: a connection cut within %s leaves nothing', async (_name, pieces) => {
  await sendRaw(address, pieces, { then: 'cut' });
});

test('case 36: a form that ends within a part leaves nothing', async () => {
  for (const body of [`${filePart}${file.toString('latin1')}`, '--b\r\nContent-Dis', '--b', filePart]) {
    const bytes = Buffer.from(body, 'latin1');
    expectProblem(
      await sendRaw(address, [upload([FORM, lengthOf(bytes)]), bytes]),
      400,
      'invalid_multipart',
      'file_missing',
    );
  }
});
