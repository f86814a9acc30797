import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CALLER_FIELDS, columnOf } from '../../../src/db/item-columns.ts';
import { parseRunMetadata } from '../../../src/domain/run-folder/parse-metadata.ts';

const parse = (value: unknown) => parseRunMetadata(JSON.stringify(value));
/** The only item of a run with these fields. */
const item = (entry: object, run: object = {}) => parse({ ...run, outputs: [entry] }).items[0];

test('every field of a run is read under its name', () => {
  const run = {
    run_id: 'r-1',
    user_id: 'u',
    timestamp: '2026-11-21T01:55:37Z',
    schema: 's',
    execution_mode: 'e',
    safety_level: 'l',
    input_text: 'in',
    transformed_text: 'out',
    metadata: { seed: 7 },
    completed_at: '2026-11-21T02:00:00Z',
    outputs: [],
  };
  expect(parse(run)).toEqual({
    runId: 'r-1',
    userId: 'u',
    timestamp: '2026-11-21T01:55:37Z',
    schema: 's',
    executionMode: 'e',
    safetyLevel: 'l',
    inputText: 'in',
    transformedText: 'out',
    metadata: { seed: 7 },
    completedAt: '2026-11-21T02:00:00Z',
    items: [],
  });
});

test('every field of an item that the service sets is read under its name', () => {
  const read = item({
    item_id: '42',
    filename: 'a.png',
    store: 'archive',
    file_size_bytes: 0,
    sha256: 'ABCDEF',
    mime_type: 'image/png',
    storage_url: 'https://cdn.example.com/a.png',
    storage_provider: 'cdn',
    created_at: '2026-11-21T01:55:37Z',
    updated_at: '2026-11-22T01:55:37Z',
    deleted_at: '2026-11-23T01:55:37Z',
  });
  expect(read).toMatchObject({
    id: '42',
    filename: 'a.png',
    store: 'archive',
    bytes: 0,
    sha256: 'abcdef',
    mimeType: 'image/png',
    external: { storageUrl: 'https://cdn.example.com/a.png', storageProvider: 'cdn' },
    createdAt: '2026-11-21T01:55:37Z',
    updatedAt: '2026-11-22T01:55:37Z',
    deletedAt: '2026-11-23T01:55:37Z',
  });
});

const SAID = CALLER_FIELDS.filter(([, { run }]) => run !== false);
const VALUES: Partial<Record<string, unknown>> = {
  integer: 3,
  time: '2026-11-21T01:55:37Z',
  tags: ['fox'],
  object: { seed: 7 },
};

test.each(SAID)(
  'the field %s is read, and a value of another type counts as absent',
  (field, { kind, run, values }) => {
    const name = typeof run === 'string' ? run : columnOf(field);
    const value = values?.[1] ?? VALUES[kind] ?? 'text';
    expect(item({ [name]: value })?.input).toMatchObject({ [field]: value });
    const empty = kind === 'tags' ? [] : undefined;
    for (const wrong of [true, null, kind === 'integer' ? 'text' : 3])
      expect(item({ [name]: wrong, created_at: null })?.input[field]).toEqual(empty);
  },
);

test('the user and the run of an item are those of the folder, not what the item says', () => {
  const input = item({ user_id: 'other', run_id: 'other', parent_id: '1' })?.input;
  expect(input).not.toHaveProperty('userId');
  expect(input).not.toHaveProperty('runId');
  expect(input).not.toHaveProperty('parentId');
});

test('outputs come before records; entries that are no objects are left out', () => {
  const metadata = parse({ outputs: [{ filename: 'a' }, 'b', null, [1]], records: [{ status: 'failed' }] });
  expect(metadata.items.map(({ filename, input }) => [filename, input.status])).toEqual([
    ['a', undefined],
    [undefined, 'failed'],
  ]);
  expect(parse({ outputs: { filename: 'a' }, records: 'b' }).items).toEqual([]);
});

test('the older names of model and provider are read when the present ones are absent', () => {
  expect(item({ config: 'sd35', backend: 'comfyui' })?.input).toMatchObject({ model: 'sd35', provider: 'comfyui' });
  expect(item({ model: 'm', config: 'c', provider: 'p', backend: 'b' })?.input).toMatchObject({
    model: 'm',
    provider: 'p',
  });
});

test("an item without any time of its own was generated at the run's", () => {
  const run = { timestamp: '2026-11-21T01:55:37' };
  expect(item({}, run)?.input.generatedAt).toBe('2026-11-21T01:55:37Z');
  expect(item({ generated_at: '2026-11-20T00:00:00Z' }, run)?.input.generatedAt).toBe('2026-11-20T00:00:00Z');
  expect(item({ created_at: '2026-11-22T00:00:00Z' }, run)?.input.generatedAt).toBeUndefined();
});

test('an external item needs both its address and its system', () => {
  expect(item({ storage_url: 'https://cdn.example.com/a.png' })?.external).toBeUndefined();
  expect(item({ storage_provider: 'cdn' })?.external).toBeUndefined();
});

test.each([
  ['1', '1'],
  ['999999999999999', '999999999999999'],
  ['1000000000000000', undefined],
  ['0', undefined],
  ['01', undefined],
  ['-1', undefined],
  ['1a', undefined],
  [7, undefined],
])('the id %j is read as %j', (id, expected) => {
  expect(item({ item_id: id })?.id).toBe(expected);
});

test.each([
  ['2026-11-21T01:55:37', '2026-11-21T01:55:37Z'],
  ['2026-11-21T01:55:37.123456', '2026-11-21T01:55:37.123456Z'],
  ['2026-11-21T01:55:37+02:00', '2026-11-21T01:55:37+02:00'],
  ['2026-02-30T01:55:37', undefined],
  ['yesterday', undefined],
  [1764000000, undefined],
])('the time %j is read as %j', (text, expected) => {
  expect(parse({ timestamp: text }).timestamp).toBe(expected);
});

test.each([
  [2 ** 31 - 1, 2 ** 31 - 1],
  [2 ** 31, undefined],
  [0, 0],
  [-1, undefined],
  [1.5, undefined],
])('the number %d of an integer column is read as %j', (n, expected) => {
  expect(item({ n })?.input.n).toBe(expected);
});

test('a size may be larger than an integer column allows', () => {
  expect(item({ file_size_bytes: 2 ** 40 })?.bytes).toBe(2 ** 40);
});

test('a visibility that does not exist counts as absent', () => {
  expect(item({ visibility: 'public' })?.input.visibility).toBe('public');
  expect(item({ visibility: 'secret' })?.input.visibility).toBeUndefined();
});

test('of tags the texts are read', () => {
  expect(item({ tags: ['a', 1, null, 'b'] })?.input.tags).toEqual(['a', 'b']);
});

test.each(['{', '[]', '"a"', 'null', '7', ''])('%j is no metadata.json', (text) => {
  expect(() => parseRunMetadata(text)).toThrow(expect.objectContaining({ code: 'invalid_json' }));
});

test('any JSON object is read, whatever its fields contain', () => {
  fc.assert(
    fc.property(
      fc.object({ key: fc.constantFrom('outputs', 'records', 'metadata', 'tags', 'item_id', 'n') }),
      (value) => {
        const { items, metadata } = parse(value);
        expect(items).toBeInstanceOf(Array);
        expect(metadata).toBeTypeOf('object');
      },
    ),
  );
});
