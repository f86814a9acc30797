import fc from 'fast-check';
import { png } from '../../support/sample-files.ts';
import type { ApiDocument, Schema } from './document.ts';
import { Link } from './wire.ts';

/** Fields whose values should come from earlier responses. */
const LINKED: Readonly<Record<string, string>> = {
  id: 'item',
  ids: 'item',
  parentId: 'item',
  imageId: 'item',
  runId: 'run',
  jobId: 'job',
  projectId: 'project',
  sceneId: 'scene',
  externalId: 'external',
  cursor: 'cursor',
  key: 'key',
  token: 'signed',
  tag: 'tag',
  prefix: 'tag',
  sha256: 'sha256',
  storageUrl: 'address',
  lastEventId: 'event',
  'last-event-id': 'event',
  'idempotency-key': 'idempotency',
};

/** Texts with a meaning that no schema expresses. */
const MEANINGS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  userId: fc.nat(1000).map((pick) => new Link('user', pick)),
  provider: fc.constantFrom('runpod', 'replicate', 'generic'),
  status: fc.constantFrom('success', 'failed', 'pending'),
  store: fc.constant('local'),
  storageProvider: fc.constantFrom('local', 'elsewhere'),
  data: fc.nat(50).map((salt) => png(2, 3, salt).toString('base64')),
  url: fc.nat(50).map((salt) => new Link('origin', salt)),
  contentType: fc.constantFrom('image/png', 'image/jpeg', 'video/mp4'),
  mimeType: fc.constantFrom('image/png', 'video/mp4'),
  metadata: fc.constantFrom('{}', '{"a":1}', '{"a":{"b":[1,"x"]}}'),
  generation: fc.constantFrom('{}', '{"seed":7,"steps":20}'),
  generatedAt: time(),
  expiresAt: fc.constantFrom('2090-01-01T00:00:00Z', '2090-06-01T12:00:00.5+02:00'),
  createdAfter: time(),
  createdBefore: time(),
  promptId: fc.uuid(),
};

function time(): fc.Arbitrary<string> {
  return fc
    .date({ min: new Date('2020-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString());
}

const words = fc.constantFrom('fox', 'a red fox in the snow', 'Ünïcödé 🦊', 'x', 'paint-tool', 'a/b c', '100%');

/** Values that fit a schema. `dense`: percentage of optional fields that are present. */
export function fitting(document: ApiDocument, given: Schema, name = '', dense = 20): fc.Arbitrary<unknown> {
  const schema = document.schema(given);
  const inner = (each: Schema, key = '') => fitting(document, each, key, dense);
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants) return fc.oneof(...variants.map((variant) => inner(variant, name)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const types = [schema.type ?? 'any'].flat();
  const arbitraries = types.map((type): fc.Arbitrary<unknown> => {
    if (type === 'string') return text(schema, name);
    if (type === 'integer') return integer(schema);
    if (type === 'number') return fc.double({ min: schema.minimum ?? -1e9, max: schema.maximum ?? 1e9, noNaN: true });
    if (type === 'boolean') return fc.boolean();
    if (type === 'null') return fc.constant(null);
    if (type === 'array')
      return fc.array(inner(schema.items ?? {}, name), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 4, 4),
      });
    if (type === 'object') return object(schema, name, inner, dense);
    return fc.jsonValue({ maxDepth: 2 });
  });
  return fc.oneof(...arbitraries);
}

function object(
  schema: Schema,
  name: string,
  inner: (schema: Schema, name: string) => fc.Arbitrary<unknown>,
  dense: number,
): fc.Arbitrary<unknown> {
  const fields = Object.entries(schema.properties ?? {});
  if (fields.length === 0 && name === 'generation')
    return fc.constantFrom({ seed: 7, steps: 20 }, { workflow: { nodes: [] } });
  if (fields.length === 0)
    return fc.dictionary(fc.constantFrom('a', 'seed', 'nested', 'ключ'), fc.jsonValue({ maxDepth: 2 }));
  const parts = fields.map(([name, field]) => {
    const value = inner(field, name);
    return schema.required?.includes(name)
      ? value.map((known) => ({ [name]: known }))
      : sometimes(value, name === 'userId' ? 85 : dense).map((known) => (known === undefined ? {} : { [name]: known }));
  });
  return fc.tuple(...parts).map((all) => Object.assign({}, ...all) as object);
}

/** The value in `percent` of cases, else undefined. */
export function sometimes<T>(value: fc.Arbitrary<T>, percent: number): fc.Arbitrary<T | undefined> {
  return fc.oneof(
    { weight: percent, arbitrary: value },
    { weight: 100 - percent, arbitrary: fc.constant<T | undefined>(undefined) },
  );
}

function text(schema: Schema, name: string): fc.Arbitrary<unknown> {
  const link = LINKED[name];
  const linked = link === undefined ? undefined : fc.nat(1_000_000).map((pick) => new Link(link, pick));
  const free = freeText(schema, name);
  return linked ? fc.oneof({ weight: 9, arbitrary: linked }, { weight: 1, arbitrary: free }) : free;
}

function freeText(schema: Schema, name: string): fc.Arbitrary<unknown> {
  const meaning = MEANINGS[name];
  if (meaning) return meaning;
  if (schema.format === 'uuid') return fc.uuid();
  if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern, 'u'));
  const most = schema.maxLength ?? 40;
  const bounds = [schema.minLength ?? 0, most].map((length) => 'x'.repeat(Math.min(length, 4000)));
  return fc.oneof(
    { weight: 6, arbitrary: words.filter((word) => word.length <= most) },
    {
      weight: 2,
      arbitrary: fc.string({ unit: 'grapheme', minLength: schema.minLength ?? 0, maxLength: Math.min(most, 30) }),
    },
    { weight: 1, arbitrary: fc.constantFrom(...bounds) },
  );
}

function integer({ minimum = -1000, maximum = 1000 }: Schema): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min: minimum, max: Math.min(maximum, 100) }), fc.constantFrom(minimum, maximum));
}
