import { storable } from '../storable-text.ts';
import type { Json, JsonObject } from './answer.ts';

/** What is kept of an answer, in bytes of JSON. */
const MAX_BYTES = 64 * 1024;
/** No prompt is left out; bytes in base64 are. */
const LONG_TEXT = 4000;
const MAX_DEPTH = 30;

/**
 * An answer as it may be kept beside its items: without the bytes that were in it, and no larger than 64 KiB.
 * Texts that no database can hold (NUL, half of a surrogate pair) are mended.
 */
export function compactAnswer(response: unknown): JsonObject {
  const compact = shorten(response as Json, 0);
  const object =
    typeof compact === 'object' && compact !== null && !Array.isArray(compact) ? compact : { value: compact };
  const text = JSON.stringify(object);
  if (Buffer.byteLength(text) <= MAX_BYTES) return object;
  return { truncated: true, bytes: Buffer.byteLength(text), keys: Object.keys(object).slice(0, 100) };
}

function shorten(value: Json, depth: number): Json {
  if (typeof value === 'string') {
    const looksLikeBytes =
      /^\s*data:/i.test(value) || (value.length > 200 && /^[A-Za-z0-9+/=_\-\s]+$/.test(value.slice(0, 2000)));
    return looksLikeBytes || value.length > LONG_TEXT ? `[${value.length} characters left out]` : storable(value);
  }
  if (typeof value !== 'object' || value === null) return value ?? null;
  if (depth >= MAX_DEPTH) return '[deeper levels left out]';
  if (Array.isArray(value)) return value.map((entry) => shorten(entry, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [storable(name), shorten(entry, depth + 1)]));
}
