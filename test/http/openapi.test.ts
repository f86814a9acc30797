import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type TestApp, createTestApp } from '../support/test-app.ts';

interface Media {
  schema?: Record<string, unknown>;
}
interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  security?: unknown[];
  parameters?: { in: string; name: string; required: boolean; style?: string; schema: Record<string, unknown> }[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { content?: Record<string, Media> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Record<string, unknown>> };
}

let t: TestApp;
let document: Document;
let operations: [string, Operation][];
beforeAll(async () => {
  t = await createTestApp({ PUBLIC_BASE_URL: 'http://127.0.0.1:8080' });
  document = (await t.app.inject({ url: '/openapi.json' })).json();
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation]),
  );
});
afterAll(() => t.close());

test('the served document is the committed one', async () => {
  const committed = parse(await readFile(new URL('../../openapi.yaml', import.meta.url), 'utf8')) as Document & {
    info: { version: string };
  };
  expect({ ...committed, info: null }).toEqual({ ...document, info: null });
});

test('every operation has a unique camel-case id, one tag, a summary and a description', () => {
  const ids = operations.map(([, operation]) => operation.operationId ?? '');
  expect(new Set(ids).size).toBe(ids.length);
  for (const [name, operation] of operations) {
    expect(operation.operationId, name).toMatch(/^[a-z]+[A-Z][A-Za-z]+$/);
    expect(operation.tags, name).toHaveLength(1);
    expect(operation.summary?.length, name).toBeGreaterThan(5);
    expect(operation.description?.length, name).toBeGreaterThan(5);
  }
});

test('every operation documents problems under 4XX and default', () => {
  for (const [name, operation] of operations) {
    for (const status of ['4XX', 'default'])
      expect(operation.responses[status]?.content?.['application/problem+json']?.schema, `${name} ${status}`).toEqual({
        $ref: '#/components/schemas/Problem',
      });
  }
});

test('JSON responses are named components that stay open, and no media type is a wildcard', () => {
  for (const [name, operation] of operations) {
    for (const answer of Object.values(operation.responses)) {
      for (const [type, { schema }] of Object.entries(answer.content ?? {})) {
        expect(type, name).not.toContain('*');
        if (!type.includes('json')) continue;
        const reference = String(schema?.['$ref']);
        expect(reference, name).toMatch(/^#\/components\/schemas\/[A-Z]/);
        expect(document.components.schemas[reference.split('/').at(-1) ?? '']?.['additionalProperties'], name).not.toBe(
          false,
        );
      }
    }
    for (const type of Object.keys(operation.requestBody?.content ?? {})) expect(type, name).not.toContain('*');
  }
});

test('only scalars are nullable, ids are texts, and a property with a default is not required', () => {
  const scalars = new Set(['string', 'integer', 'number', 'boolean']);
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    for (const [field, property] of Object.entries(
      (schema['properties'] ?? {}) as Record<string, { type?: unknown; anyOf?: unknown }>,
    )) {
      expect(property.anyOf, `${name}.${field}`).toBeUndefined();
      if (Array.isArray(property.type))
        expect(
          property.type.every((type: string) => type === 'null' || scalars.has(type)),
          `${name}.${field}`,
        ).toBe(true);
      if (/(^id|Id)$/.test(field)) expect([property.type].flat(), `${name}.${field}`).toContain('string');
    }
  }
  for (const [name, operation] of operations) {
    for (const parameter of operation.parameters ?? []) {
      expect(parameter.style, name).not.toBe('deepObject');
      if (parameter.schema['default'] !== undefined)
        expect(parameter.required, `${name} ${parameter.name}`).toBe(false);
    }
  }
});

test('signed URLs, health and metrics need no token; for bytes it is optional', () => {
  const security = (name: string) => operations.find(([operation]) => operation === name)?.[1].security;
  expect(security('get /v1/signed/{token}')).toEqual([]);
  expect(security('get /health/ready')).toEqual([]);
  expect(security('get /v1/media/{id}/content')).toContainEqual({});
  expect(security('get /v1/media/{id}')).toBeUndefined();
});

test('the document is serialised once in each form, however often it is requested', async () => {
  expect(t.app.openapiText('json')).toBe(t.app.openapiText('json'));
  expect(t.app.openapiText('yaml')).toBe(t.app.openapiText('yaml'));
  const bodies = await Promise.all(
    ['/openapi.json', '/docs/json', '/docs/yaml'].map(async (url) => (await t.app.inject({ url })).body),
  );
  expect(bodies[1]).toBe(bodies[0]);
  expect(bodies[2]).toMatch(/^openapi: /);
});
