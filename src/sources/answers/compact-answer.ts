import type { Json, JsonObject } from '../../json/json.ts';
import { isPlainObject } from '../../json/walk.ts';
import { storable } from '../../json/storable-text.ts';

/** Largest compacted answer, in bytes of JSON. */
const MAX_BYTES = 64 * 1024;
/** Longer strings are left out. Prompts are shorter, base64 of files is longer. */
const LONG_TEXT = 4000;
const MAX_DEPTH = 30;

/**
 * Shortens an answer so that it can be stored beside its items: without the bytes of files, and at most 64 KiB. Of an answer that is still
 * larger, only its first names are kept; the work stops at the limit. Characters that PostgreSQL cannot store are replaced.
 */
export function compactAnswer(response: unknown): JsonObject {
  const value = response as Json;
  const compact = new Compacting().shorten(value, 0);
  const object =
    compact === undefined
      ? undefined
      : typeof compact === 'object' && compact !== null && !Array.isArray(compact)
        ? compact
        : { value: compact };
  // The count is a lower bound: escapes and characters beyond ASCII take more bytes.
  if (object && Buffer.byteLength(JSON.stringify(object)) <= MAX_BYTES) return object;
  const names = isPlainObject(value) ? Object.keys(value).slice(0, 100) : ['value'];
  return { truncated: true, keys: names.map((name) => storable(name.slice(0, 200))) };
}

class Compacting {
  #bytes = 0;

  /** Undefined when the limit is exceeded. */
  shorten(value: Json, depth: number): Json | undefined {
    if (typeof value === 'string') return this.#text(value);
    if (typeof value !== 'object' || value === null) return this.#count(1) ? (value ?? null) : undefined;
    if (depth >= MAX_DEPTH) return this.#text('[deeper levels left out]');
    if (Array.isArray(value)) return this.#list(value, depth);
    return this.#object(value, depth);
  }

  #list(list: Json[], depth: number): Json | undefined {
    if (!this.#count(list.length + 1)) return undefined;
    const shortened: Json[] = [];
    for (const entry of list) {
      const short = this.shorten(entry, depth + 1);
      if (short === undefined) return undefined;
      shortened.push(short);
    }
    return shortened;
  }

  #object(object: JsonObject, depth: number): Json | undefined {
    if (!isPlainObject(object)) return this.#text('[no JSON]');
    const shortened: JsonObject = {};
    for (const name of Object.keys(object)) {
      if (name === '__proto__') continue;
      if (!this.#count(name.length + 4)) return undefined;
      const short = this.shorten(object[name] ?? null, depth + 1);
      if (short === undefined) return undefined;
      shortened[storable(name)] = short;
    }
    return shortened;
  }

  #text(text: string): string | undefined {
    const looksLikeBytes =
      /^\s*data:/i.test(text.slice(0, 100)) ||
      (text.length > 200 && /^[A-Za-z0-9+/=_\-\s]+$/.test(text.slice(0, 2000)));
    const kept = looksLikeBytes || text.length > LONG_TEXT ? `[${text.length} characters left out]` : storable(text);
    return this.#count(kept.length + 2) ? kept : undefined;
  }

  #count(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes <= MAX_BYTES;
  }
}
