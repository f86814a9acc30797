import type { Json, JsonObject } from '../../json/json.ts';
import { AppError } from '../../errors.ts';
import { isPlainObject, walkPlain } from '../../json/walk.ts';

const MAX_DEPTH = 32;
/** Maximum bytes of a property name. */
const MAX_NAME_BYTES = 1000;

/** PostgreSQL text can hold neither NUL nor unpaired surrogates. */
export function isStorable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

/**
 * A name without characters that reorder text, end a header or could disguise the extension. The joiners stay: Persian, Sinhala and
 * emoji are written with them.
 */
export function withoutControls(name: string): string {
  return name.replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim();
}

/** @throws AppError invalid_text, or too_large when `text` has more than `maxBytes` bytes in UTF-8. */
export function checkText(field: string, text: string, maxBytes: number): void {
  if (!isStorable(text))
    throw new AppError('invalid_text', `'${field}' holds a NUL character or half of a surrogate pair; remove it.`, {
      field,
    });
  // A UTF-16 unit has at most three bytes in UTF-8, so most texts need no count.
  if (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes) {
    throw new AppError('too_large', `'${field}' may have at most ${maxBytes} bytes.`, { field });
  }
}

/**
 * Checks that a JSON value can be stored exactly: at most 32 levels, storable texts and keys, finite numbers, no integer beyond
 * 2^53, and no key that could change a prototype in careless code. Stops as soon as the value must exceed `maxBytes` bytes of
 * JSON.
 * @throws AppError invalid_request, invalid_json, invalid_text or too_large naming `field`
 */
function checkJson(field: string, value: unknown, maxBytes: number): asserts value is Json {
  let bytes = 0;
  const count = (more: number) => {
    bytes += more;
    if (bytes > maxBytes) throw tooLarge(field, maxBytes);
  };
  const check = (current: unknown, depth: number) => {
    if (depth > MAX_DEPTH)
      throw new AppError('invalid_request', `'${field}' is nested more than ${MAX_DEPTH} levels deep.`, { field });
    // A lower bound of its bytes in JSON: brackets and commas, quotes, one character of anything else.
    if (typeof current === 'string') {
      count(current.length + 2);
      checkText(field, current, Number.POSITIVE_INFINITY);
    } else if (Array.isArray(current)) count(Math.max(2, current.length + 1));
    else if (isPlainObject(current)) {
      const keys = Object.keys(current);
      count(Math.max(2, keys.length + 1));
      for (const key of keys) {
        count(key.length + 3);
        if (Buffer.byteLength(key) > MAX_NAME_BYTES)
          throw new AppError('too_large', `A name in '${field}' has more than ${MAX_NAME_BYTES} bytes.`, { field });
        checkText(field, key, MAX_NAME_BYTES);
        checkPrototype(field, key, current[key]);
      }
    } else if (typeof current === 'object' && current !== null)
      throw new AppError('invalid_request', `'${field}' is no JSON.`, { field });
    else {
      count(1);
      if (typeof current === 'number') checkNumber(field, current);
    }
  };
  walkPlain(value, { depth: Number.POSITIVE_INFINITY, values: Number.POSITIVE_INFINITY }, check);
}

function tooLarge(field: string, maxBytes: number): AppError {
  return new AppError('too_large', `'${field}' may have at most ${maxBytes} bytes as JSON.`, { field });
}

function checkPrototype(field: string, key: string, value: unknown): void {
  const polluting =
    key === '__proto__' ||
    (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype'));
  if (polluting)
    throw new AppError('invalid_json', `'${field}' has a key that is not allowed (__proto__, constructor.prototype).`, {
      field,
    });
}

function checkNumber(field: string, value: number): void {
  if (!Number.isFinite(value))
    throw new AppError('invalid_request', `'${field}' holds a number that is too large.`, { field });
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new AppError(
      'invalid_request',
      `'${field}' holds an integer beyond 2^53, which JSON readers round; send it as a text.`,
      { field },
    );
  }
}

/** A JSON object of at most `maxBytes` bytes. @throws AppError as checkJson, or too_large */
export function checkJsonObject(field: string, value: unknown, maxBytes: number): JsonObject {
  checkJson(field, value, maxBytes);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new AppError('invalid_request', `'${field}' must be a JSON object.`, { field });
  }
  if (Buffer.byteLength(JSON.stringify(value)) > maxBytes) throw tooLarge(field, maxBytes);
  return value;
}
