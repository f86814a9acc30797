import { AppError } from '../errors.ts';
import type { Json, JsonObject } from '../db/tables.ts';

const MAX_DEPTH = 32;

/** What no text in PostgreSQL can hold: NUL, and halves of surrogate pairs. */
export function isStorable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

/** @throws AppError invalid_text, or too_large when `text` has more than `maxBytes` bytes in UTF-8. */
export function checkText(field: string, text: string, maxBytes: number): void {
  if (!isStorable(text))
    throw new AppError('invalid_text', `'${field}' holds a NUL character or half of a surrogate pair; remove it.`, {
      field,
    });
  // A UTF-16 unit never has more than three bytes, so most texts need no count.
  if (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes) {
    throw new AppError('too_large', `'${field}' may have at most ${maxBytes} bytes.`, { field });
  }
}

/**
 * Checks that a JSON value can be kept exactly: at most 32 levels, storable texts and keys, finite numbers, no integer
 * beyond 2^53, and no key with which a careless reader would change its own prototypes. Iterative, because depth is the caller's choice.
 * @throws AppError invalid_request, invalid_json or invalid_text naming `field`
 */
function checkJson(field: string, value: unknown): asserts value is Json {
  const left: { value: unknown; depth: number }[] = [{ value, depth: 1 }];
  for (let next = left.pop(); next; next = left.pop()) {
    const { value: current, depth } = next;
    if (depth > MAX_DEPTH)
      throw new AppError('invalid_request', `'${field}' is nested more than ${MAX_DEPTH} levels deep.`, { field });
    if (typeof current === 'string') checkText(field, current, Number.POSITIVE_INFINITY);
    else if (typeof current === 'number') checkNumber(field, current);
    else if (Array.isArray(current)) for (const entry of current) left.push({ value: entry, depth: depth + 1 });
    else if (typeof current === 'object' && current !== null) {
      for (const [key, entry] of Object.entries(current)) {
        checkText(field, key, 1000);
        checkPrototype(field, key, entry);
        left.push({ value: entry, depth: depth + 1 });
      }
    }
  }
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
  checkJson(field, value);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new AppError('invalid_request', `'${field}' must be a JSON object.`, { field });
  }
  if (Buffer.byteLength(JSON.stringify(value)) > maxBytes) {
    throw new AppError('too_large', `'${field}' may have at most ${maxBytes} bytes as JSON.`, { field });
  }
  return value;
}
