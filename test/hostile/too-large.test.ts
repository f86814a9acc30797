// Case numbers in titles are those of the table in docs/threat-model.md.
import { TIMING } from '../../src/http/connections/timing.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { head, sendRaw } from '../support/raw-http.ts';
import { bigPng, multipart, png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asUser, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged, expectTraces } from '../support/traces.ts';

let t: TestApp;
let address: string;
const { authorization } = asUser('alice');
beforeAll(async () => {
  t = await createTestApp(
    { MAX_JSON_BYTES: '2048', MAX_UPLOAD_BYTES: '100000' },
    { timing: { ...TIMING, idleMs: 2000, headersMs: 300, checkMs: 50, bodyRate: { windowMs: 300, minBytes: 1000 } } },
  );
  address = await t.listen();
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET, authorization]);
  await t.close();
});
afterEach(async () => {
  await expectTraces(t, { items: 0, locations: 0, intents: 0, files: 0 });
  expect((await fetch(`${address}/health/ready`)).status).toBe(200);
});

const chunk = (bytes: string | Buffer) =>
  Buffer.concat([Buffer.from(`${Buffer.byteLength(bytes).toString(16)}\r\n`), Buffer.from(bytes), Buffer.from('\r\n')]);
const upload = (type: string, headers: readonly (readonly [string, string])[]) =>
  head('POST', '/v1/media', [['Authorization', authorization], ['Content-Type', type], ...headers]);
const JSON_START = `{"prompt":"${'x'.repeat(3000)}`;
const FORM = 'multipart/form-data; boundary=b';
const CHUNKED = [['Transfer-Encoding', 'chunked']] as const;
const big = bigPng(150_000);
const bigForm = multipart([{ name: 'file', value: big, filename: 'a.png' }], 'b').payload;

test.each([
  ['JSON, announced', upload('application/json', [['Content-Length', '9999999']]), JSON_START],
  ['JSON, chunked', upload('application/json', CHUNKED), chunk(JSON_START)],
  ['a raw body, announced', upload('image/png', [['Content-Length', '9999999']]), big],
  ['a raw body, chunked', upload('image/png', CHUNKED), chunk(big)],
  ['a form, announced', upload(FORM, [['Content-Length', '9999999']]), bigForm],
  ['a form, chunked', upload(FORM, CHUNKED), chunk(bigForm)],
] as const)('case 35: %s over the limit is refused with 413, and its sender may stall', async (_name, start, body) => {
  const answer = await sendRaw(address, [start, body], { patience: 1500 });
  expect(answer.status).toBe(413);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'too_large' });
  // Longer than the window of the minimum rate: a timer that is still running must not fail.
  await sleep(400);
});

const BESIDE = 33 * 1024 ** 2;
const disposition = (name: string) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`;

test.each([
  ['a field', [disposition('prompt'), Buffer.alloc(BESIDE, 'x')]],
  ['what comes before the parts', [Buffer.alloc(BESIDE, 'x')]],
  [
    'what comes after the parts',
    [multipart([{ name: 'file', value: png(), filename: 'a.png' }], 'b').payload, Buffer.alloc(BESIDE, 'x')],
  ],
] as const)('a form is refused with 413 when %s has no end', async (_name, pieces) => {
  const answer = await sendRaw(address, [upload(FORM, CHUNKED), ...pieces.map((piece) => chunk(piece))], {
    patience: 4000,
  });
  expect(answer.status).toBe(413);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'too_large' });
});

test('a form that announces more than a file and all of its fields may have is refused before it is sent', async () => {
  const start = upload(FORM, [['Content-Length', String(10 * BESIDE)]]);
  const answer = await sendRaw(address, [start], { patience: 1500 });
  expect(answer.status).toBe(413);
});

test.each([
  ['JSON', upload('application/json', CHUNKED), chunk(JSON_START)],
  ['a raw body', upload('image/png', CHUNKED), chunk(big)],
  ['a form', upload(FORM, CHUNKED), chunk(bigForm)],
] as const)('case 36: %s over the limit is refused, and its sender may go away', async (_name, start, body) => {
  const answer = await sendRaw(address, [start, body], { then: 'cut' });
  expect([0, 413]).toContain(answer.status);
  await sleep(400);
});

test('case 35: a body without a token is refused before it is read', async () => {
  const start = head('POST', '/v1/media', [
    ['Content-Type', 'image/png'],
    ['Content-Length', '90000'],
  ]);
  const answer = await sendRaw(address, [start, png()], { patience: 1500 });
  expect(answer.status).toBe(401);
  expect(answer.head.toLowerCase()).toContain('connection: close');
});

test('a form field beyond its limit is refused while the rest is still being sent', async () => {
  const begin = '--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n';
  const { status, body } = await sendRaw(
    address,
    [
      head('POST', '/v1/media', [
        ['Authorization', asUser('alice').authorization],
        ['Content-Type', 'multipart/form-data; boundary=x'],
        ['Content-Length', '30000000'],
      ]),
      begin + 'a'.repeat(1_000_000),
    ],
    { then: 'answer', patience: 10_000 },
  );
  expect(status).toBe(413);
  expect(JSON.parse(body)).toMatchObject({ code: 'too_large' });
});
