import type { JsonObject } from '../../json/json.ts';
import { CALLER_FIELDS, type CallerField, type FieldValue, type FieldWith, ITEM } from '../../db/item-columns.ts';
import { AppError } from '../../errors.ts';
import { checkJsonObject, checkText } from './text-limits.ts';

/** A caller's fields of an item as they arrive: their shapes are validated, their limits are not. */
export interface ItemInput extends Said {
  subfolder?: string | undefined;
  store?: string | undefined;
  sha256?: string | undefined;
  /** A provider's answer, already compacted; stored with the item and never shown. */
  providerResponse?: JsonObject | undefined;
}

type Said = {
  [N in CallerField]?: (N extends FieldWith<{ kind: 'object' }> ? unknown : FieldValue<N>) | undefined;
};

/** The same, within the limits and in canonical form. */
export interface ItemFields extends ItemInput {
  userId: string;
  tags: string[];
  metadata?: JsonObject | undefined;
  generation?: JsonObject | undefined;
}

/** Maximum bytes of a text. */
const TEXT_LIMITS = [
  ...CALLER_FIELDS.flatMap(([field, { maxBytes }]) => (maxBytes === undefined ? [] : [{ field, maxBytes }])),
  { field: 'subfolder', maxBytes: 500 },
] as const;

export const MAX_TAGS = 64;
const MAX_TAG_CHARACTERS = 64;
export const MAX_METADATA_BYTES = 64 * 1024;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Makes a value of a kind canonical and refuses what cannot be stored. */
const CANONICAL: Partial<Record<string, (field: string, value: never) => unknown>> = {
  uuid: checkUuid,
  id: checkId,
  time: checkTime,
  tags: (_field: string, tags: readonly string[]) => checkTags(tags),
  object: (field: string, value: unknown) => checkJsonObject(field, value, MAX_METADATA_BYTES),
};
const CHECKED = CALLER_FIELDS.flatMap(([field, { kind }]) => {
  const check = CANONICAL[kind] as ((field: string, value: unknown) => unknown) | undefined;
  return check ? [{ field, check }] : [];
});

/**
 * Normalises the fields and checks what the schema cannot express (bytes, Unicode, JSON depth, fields that belong together).
 * @throws AppError invalid_request, invalid_text or too_large, with the field's name
 */
export function checkFields(input: ItemInput, userId: string): ItemFields {
  const fields: ItemInput = { ...input, userId };
  for (const { field, maxBytes } of TEXT_LIMITS) {
    const value = fields[field] as string | undefined;
    if (value !== undefined) checkText(field, value, maxBytes);
  }
  checkUserId(userId);
  if (fields.projectId === undefined && fields.sceneId !== undefined) fail('sceneId', "needs 'projectId' beside it");
  if (fields.filename === '') fields.filename = undefined;
  if (fields.sha256 !== undefined) fields.sha256 = fields.sha256.toLowerCase();
  const canonical: Record<string, unknown> = { ...fields, tags: fields.tags ?? [] };
  for (const { field, check } of CHECKED)
    if (canonical[field] !== undefined) canonical[field] = check(field, canonical[field]);
  return canonical as unknown as ItemFields;
}

/** @throws AppError invalid_request: empty or with control characters. */
export function checkUserId(userId: string): void {
  checkText('userId', userId, ITEM.userId.maxBytes);
  if (userId.trim() === '') fail('userId', 'must not be empty');
  if (/\p{Cc}/u.test(userId)) fail('userId', 'must not hold control characters');
}

/** Trimmed, without repeats, in the caller's order. @throws AppError invalid_request */
function checkTags(tags: readonly string[]): string[] {
  if (tags.length > MAX_TAGS) fail('tags', `may hold at most ${MAX_TAGS} tags`);
  const kept = new Set<string>();
  for (const tag of tags) {
    checkText('tags', tag, 4 * MAX_TAG_CHARACTERS);
    const trimmed = canonicalTag(tag);
    if (trimmed === '') fail('tags', 'may not hold an empty tag');
    if (Array.from(trimmed).length > MAX_TAG_CHARACTERS)
      fail('tags', `may hold tags of at most ${MAX_TAG_CHARACTERS} characters`);
    kept.add(trimmed);
  }
  return [...kept];
}

const MAX_ID = 9_223_372_036_854_775_807n;

/** The form in which a tag is stored and must be searched for. */
export function canonicalTag(tag: string): string {
  return tag.normalize('NFC').trim();
}

/** In lower case. @throws AppError invalid_request */
function checkUuid(field: string, value: string): string {
  if (!UUID.test(value)) fail(field, 'must be a UUID');
  return value.toLowerCase();
}

/** An item's id: a positive BIGINT in decimal. @throws AppError invalid_request */
function checkId(field: string, id: string): string {
  if (!/^[1-9][0-9]{0,18}$/.test(id) || BigInt(id) > MAX_ID)
    fail(field, 'must be the id of an item: a positive whole number');
  return id;
}

const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;

/** Range of RFC 3339 in UTC; an offset or a rounded fraction can exceed it, and such a time would be returned as null. */
const FIRST_TIME = Date.parse('0001-01-01T00:00:00Z');
const LAST_TIME = Date.parse('9999-12-31T23:59:59Z');

/** A time as RFC 3339 with an offset; returned unchanged, with its microseconds. @throws AppError invalid_request */
export function checkTime(field: string, text: string): string {
  const time = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  // Date.parse reads the 30th of February as the 2nd of March.
  const day = Number(text.slice(8, 10));
  const isDay = new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)) - 1, day)).getUTCDate() === day;
  if (!(time >= FIRST_TIME && time <= LAST_TIME) || !isDay) {
    fail(field, 'must be a time like 2026-11-21T01:55:37Z');
  }
  return text;
}

function fail(field: string, rule: string): never {
  throw new AppError('invalid_request', `'${field}' ${rule}.`, { field });
}
