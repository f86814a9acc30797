// Case numbers in titles are those of the table in docs/threat-model.md.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { JWT_SECRET, type TestApp, asUser, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged, traces } from '../support/traces.ts';

let t: TestApp;
beforeAll(async () => {
  t = await createTestApp();
});
afterAll(async () => {
  expect(await traces(t)).toEqual({ items: 0, locations: 0, intents: 0, files: 0 });
  expectNoSecretsLogged(t, [JWT_SECRET]);
  await t.close();
});

test.each([
  'application/json',
  'Application/JSON',
  'application/json ; charset=utf-8',
  'application/json;',
  'APPLICATION/JSON;x="y"',
])('cases 45 to 58: a body of type %j is checked like any JSON', async (type) => {
  for (const payload of [
    '{"nonsense":1}',
    '{"tags":"x"}',
    'null',
    '[]',
    '"x"',
    '1',
    '{"source":"x"}',
    '{"source":1}',
    '{"source":false}',
    '{"source":[]}',
    '{"source":[{"type":"url","url":"https://a.example"}]}',
    '{"source":{}}',
  ]) {
    const headers = { 'content-type': type, ...asUser('alice') };
    const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload });
    expect(response.json()).toMatchObject({ status: 400, code: 'invalid_request' });
  }
});

test.each([
  'application/vnd.api+json',
  'application/x-json',
  'text/json',
  'text/plain',
  'application/xml',
  'application/jsonx',
])('cases 45 to 58: a body of type %j is refused, not taken unchecked', async (type) => {
  const headers = { 'content-type': type, ...asUser('alice') };
  const response = await t.app.inject({ method: 'POST', url: '/v1/media', headers, payload: '{"nonsense":1}' });
  expect(response.json()).toMatchObject({ status: 415, code: 'unsupported_content_type' });
});

test('case 38: a request without a body is refused on every route that needs one', async () => {
  const requests = [
    ['POST', '/v1/media'],
    ['POST', '/v1/batches'],
    ['PATCH', '/v1/media/1'],
    ['POST', '/v1/signed-urls'],
  ] as const;
  for (const [method, url] of requests) {
    const response = await t.app.inject({ method, url, headers: asUser('alice') });
    expect(response.statusCode).toBe(400);
    expect(response.json().code).toMatch(/^(invalid_request|file_missing|invalid_json)$/);
  }
});
