import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, asAdmin, createTestApp } from '../../support/test-app.ts';

let t: TestApp;
let address: string;
beforeAll(async () => {
  t = await createTestApp();
  address = await t.listen();
});
afterAll(() => t.close());

interface Operation {
  operationId: string;
  method: string;
  path: string;
}

const VALUES: Readonly<Record<string, string>> = {
  id: '1',
  provider: 'fal',
  projectId: 'a1b2c3d4-0000-4000-8000-000000000001',
};
const UUIDS = new Set(['completeUpload', 'getTask']);

/** Every operation that has no body, or one that may be left out; new ones are in it by themselves. */
function operations(): Operation[] {
  const { paths } = JSON.parse(t.app.openapiText('json').toString()) as {
    paths: Record<string, Record<string, { operationId: string; requestBody?: { required?: boolean } }>>;
  };
  return Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods)
      .filter(([, { requestBody }]) => requestBody === undefined || requestBody.required === false)
      .map(([method, { operationId }]) => ({
        operationId,
        method: method.toUpperCase(),
        path: template.replace(/\{(\w+)\}/g, (_all, name: string) =>
          UUIDS.has(operationId) ? VALUES['projectId']! : (VALUES[name] ?? 'x'),
        ),
      })),
  );
}

interface Answer {
  status: number;
  code: string | undefined;
}

function send({ method, path }: Operation, headers: Record<string, string>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${address}${path}`,
      { method, headers: { ...asAdmin(), ...headers }, agent: false },
      (answer) => {
        // A stream of events has no end.
        if (answer.headers['content-type']?.startsWith('text/event-stream') === true) {
          answer.destroy();
          resolve({ status: answer.statusCode ?? 0, code: undefined });
          return;
        }
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          const isProblem = answer.headers['content-type']?.startsWith('application/problem+json') === true;
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: answer.statusCode ?? 0,
            code: isProblem && text !== '' ? (JSON.parse(text) as { code: string }).code : undefined,
          });
        });
      },
    );
    outgoing.on('error', reject);
    if (body !== undefined) outgoing.write(body);
    outgoing.end();
  });
}

const TYPES = [
  undefined,
  'application/x-www-form-urlencoded',
  'application/json',
  'text/plain',
  'application/octet-stream',
  'multipart/form-data; boundary=x',
  'multipart/form-data',
  'nonsense',
];

const FRAMINGS: readonly Record<string, string>[] = [{ 'content-length': '0' }, {}, { 'transfer-encoding': 'chunked' }];

/** What clients set for all of their requests. */
const ENCODINGS = ['gzip', '', 'identity'];

describe('a request without content', () => {
  test('is the same whatever its Content-Type and framing, on every operation whose body may be left out', async () => {
    const all = operations();
    expect(all.map(({ operationId }) => operationId)).toEqual(
      expect.arrayContaining([
        'createSignedUrl',
        'completeRun',
        'registerJob',
        'restoreMedia',
        'deleteMedia',
        'retryJob',
      ]),
    );
    for (const operation of all) {
      const plain = await send(operation, {});
      // The first of two that create something answers differently.
      const again = await send(operation, {});
      for (const type of TYPES) {
        const typed: Record<string, string> = type === undefined ? {} : { 'content-type': type };
        for (const framing of FRAMINGS) {
          const answer = await send(operation, { ...typed, ...framing });
          expect([operation.operationId, type, framing, answer]).toEqual([
            operation.operationId,
            type,
            framing,
            expect.toBeOneOf([plain, again]),
          ]);
          expect([operation.operationId, type, framing, answer.status]).not.toContain(415);
          expect(answer.code).not.toBe('invalid_json');
        }
      }
    }
  });

  test('has no encoding either', async () => {
    for (const operation of operations()) {
      const known = [await send(operation, {}), await send(operation, {})];
      for (const encoding of ENCODINGS)
        for (const framing of FRAMINGS) {
          const answer = await send(operation, { 'content-encoding': encoding, ...framing });
          expect([operation.operationId, encoding, framing, answer]).toEqual([
            operation.operationId,
            encoding,
            framing,
            expect.toBeOneOf(known),
          ]);
        }
    }
  });

  test('a first byte under an unsuitable type is 415', async () => {
    // Webhooks take the bytes of any type.
    const writing = operations().filter(
      ({ method, path }) => !['GET', 'HEAD'].includes(method) && !path.includes('/webhooks/'),
    );
    expect(writing.length).toBeGreaterThan(6);
    for (const operation of writing) {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
        const answer = await send(operation, { 'content-type': type, 'transfer-encoding': 'chunked' }, 'x');
        expect([operation.operationId, type, answer.status]).toEqual([operation.operationId, type, 415]);
      }
    }
  });
});
