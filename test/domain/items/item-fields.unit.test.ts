import { expect, test } from 'vitest';
import {
  canonicalTag,
  checkFields,
  checkTime,
  checkUserId,
  type ItemInput,
} from '../../../src/domain/items/item-fields.ts';

const check = (input: ItemInput, userId = 'u') => checkFields(input, userId);
const refusal = (code: string, field: string) => expect.objectContaining({ code, field });
const UUID = 'AB3DE1F0-0000-4000-8000-00000000000F';

test('fields within the limits are kept, and the user is the one that was given', () => {
  expect(check({ userId: 'other', prompt: 'a fox', model: 'm', n: 3 }, 'alice')).toEqual({
    userId: 'alice',
    prompt: 'a fox',
    model: 'm',
    n: 3,
    tags: [],
  });
});

test('ids, digests, tags and names take their canonical form', () => {
  expect(
    check({ projectId: UUID, sceneId: 's', sha256: 'ABC', tags: [' a ', 'b', 'a', 'e\u0301'], filename: '' }),
  ).toMatchObject({
    projectId: UUID.toLowerCase(),
    sceneId: 's',
    sha256: 'abc',
    tags: ['a', 'b', '\u00e9'],
    filename: undefined,
  });
  expect(canonicalTag(' e\u0301 ')).toBe('\u00e9');
});

test.each<[string, number]>([
  ['prompt', 256 * 1024],
  ['model', 2000],
  ['size', 20],
  ['subfolder', 500],
])('%s may have %d bytes and no more', (field, bytes) => {
  expect(check({ [field]: 'a'.repeat(bytes) })).toHaveProperty(field);
  expect(() => check({ [field]: 'a'.repeat(bytes + 1) })).toThrow(refusal('too_large', field));
  expect(() => check({ [field]: 'ä'.repeat(bytes / 2 + 1) })).toThrow(refusal('too_large', field));
});

test.each([['a\u0000'], ['\ud800']])('the text %j cannot be stored', (text) => {
  expect(() => check({ prompt: text })).toThrow(refusal('invalid_text', 'prompt'));
  expect(() => check({ tags: [text] })).toThrow(refusal('invalid_text', 'tags'));
});

test.each(['', ' \t', 'a\nb', 'a\u0085'])('%j is no user', (userId) => {
  expect(() => check({}, userId)).toThrow(refusal('invalid_request', 'userId'));
  expect(() => checkUserId(userId)).toThrow(refusal('invalid_request', 'userId'));
});

test('the name of a user has at most 255 bytes', () => {
  expect(() => checkUserId('a'.repeat(255))).not.toThrow();
  expect(() => checkUserId('a'.repeat(256))).toThrow(refusal('too_large', 'userId'));
});

test('a scene needs its project, a project no scene', () => {
  expect(() => check({ sceneId: 's' })).toThrow(refusal('invalid_request', 'sceneId'));
  expect(check({ projectId: UUID })).toHaveProperty('projectId');
});

test('an item has at most 64 tags of at most 64 characters, none of them empty', () => {
  const many = (count: number) => Array.from({ length: count }, (_value, index) => `t${index}`);
  expect(check({ tags: many(64) }).tags).toHaveLength(64);
  expect(() => check({ tags: many(65) })).toThrow(refusal('invalid_request', 'tags'));
  expect(check({ tags: ['\u{1f98a}'.repeat(64)] }).tags).toHaveLength(1);
  expect(() => check({ tags: ['a'.repeat(65)] })).toThrow(refusal('invalid_request', 'tags'));
  expect(() => check({ tags: ['a', ' '] })).toThrow(refusal('invalid_request', 'tags'));
});

test.each(['1', '42', '9223372036854775807'])('%s is the id of an item', (parentId) => {
  expect(check({ parentId }).parentId).toBe(parentId);
});

test.each(['0', '01', '-1', '1.5', 'a', '', '9223372036854775808', '10000000000000000000'])(
  '%s is no id of an item',
  (parentId) => {
    expect(() => check({ parentId })).toThrow(refusal('invalid_request', 'parentId'));
  },
);

test.each(['', 'ab3de1f0', `${UUID}0`, UUID.replace('F0', 'X0')])('%s is no id of a project', (projectId) => {
  expect(() => check({ projectId })).toThrow(refusal('invalid_request', 'projectId'));
});

test.each([
  '2026-11-21T01:55:37Z',
  '2026-11-21t01:55:37z',
  '2026-11-21 01:55:37+02:00',
  '2026-11-21T01:55:37.123456789-11:30',
  '2024-02-29T00:00:00Z',
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
])('%s is a time, and is kept as it was written', (text) => {
  expect(checkTime('generatedAt', text)).toBe(text);
  expect(check({ generatedAt: text }).generatedAt).toBe(text);
});

test.each([
  '2026-11-21T01:55:37',
  '2026-11-21',
  '2026-11-21T01:55Z',
  '2026-13-21T01:55:37Z',
  '2026-02-30T01:55:37Z',
  '2026-04-31T01:55:37Z',
  '2025-02-29T00:00:00Z',
  '2026-11-00T01:55:37Z',
  '2026-11-21T25:55:37Z',
  '2026-11-21T01:55:37.1234567890Z',
  '0001-01-01T00:00:00+01:00',
  '9999-12-31T23:59:59.999Z',
  '9999-12-31T23:59:59-01:00',
  'x2026-11-21T01:55:37Z',
  '2026-11-21T01:55:37Zx',
])('%s is no time', (text) => {
  expect(() => checkTime('generatedAt', text)).toThrow(refusal('invalid_request', 'generatedAt'));
});

test('metadata is a JSON object of at most 64 KiB', () => {
  expect(check({ metadata: { seed: 7 } }).metadata).toEqual({ seed: 7 });
  expect(() => check({ metadata: { a: 'a'.repeat(64 * 1024) } })).toThrow(refusal('too_large', 'metadata'));
  expect(() => check({ metadata: [1] })).toThrow(refusal('invalid_request', 'metadata'));
});
