import { expect, test } from 'vitest';
import {
  CALLER_FIELDS,
  INSERTED_FIELDS,
  ITEM,
  ITEM_FIELDS,
  STORED_FIELDS,
  columnOf,
  sqlTypeOf,
} from '../../src/db/item-columns.ts';

const names = (fields: readonly (readonly [string, unknown])[]) => fields.map(([name]) => name);
const declaredBy = (...by: string[]) => names(ITEM_FIELDS.filter(([, column]) => by.includes(column.by)));

test('every field of an item belongs to the groups that its origin says', () => {
  expect(names(STORED_FIELDS)).toEqual(declaredBy('caller', 'service', 'database'));
  expect(names(INSERTED_FIELDS)).toEqual(declaredBy('caller', 'service'));
  expect(names(CALLER_FIELDS)).toEqual(declaredBy('caller'));
  for (const group of [STORED_FIELDS, INSERTED_FIELDS, CALLER_FIELDS]) expect(group.length).toBeGreaterThan(20);
});

test('callers can set neither what the bytes say, nor ids, nor where an item is kept', () => {
  const service = new Set([
    'id',
    'bytes',
    'sha256',
    'mimeType',
    'mediaType',
    'storageUrl',
    'storageProvider',
    'storageKey',
  ]);
  expect(names(CALLER_FIELDS).filter((name) => service.has(name))).toEqual([]);
  expect(names(CALLER_FIELDS)).toEqual(expect.arrayContaining(['userId', 'prompt', 'tags', 'visibility', 'parentId']));
});

test.each([
  ['id', 'id'],
  ['userId', 'user_id'],
  ['providerResponse', 'provider_response'],
  ['sha256', 'sha256'],
] as const)('the column of %s is %s', (field, column) => {
  expect(columnOf(field)).toBe(column);
});

test.each([
  ['prompt', 'text'],
  ['size', 'character varying(20)'],
  ['id', 'bigint'],
  ['bytes', 'bigint'],
  ['n', 'integer'],
  ['projectId', 'uuid'],
  ['sha256', 'character(64)'],
  ['createdAt', 'timestamp with time zone'],
  ['metadata', 'jsonb'],
  ['tags', 'text[]'],
  ['isCurrent', 'boolean'],
] as const)('%s is stored as %s', (field, type) => {
  expect(sqlTypeOf(ITEM[field])).toBe(type);
});
