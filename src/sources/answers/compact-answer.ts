import type { Json, JsonObject } from '../../json/json.ts';
import { isPlainObject } from '../../json/walk.ts';
import { storable } from '../../json/storable-text.ts';

/** What is kept of an answer, in bytes of JSON. */
const MAX_BYTES = 64 * 1024;
/** No prompt is left out; bytes in base64 are. */
const LONG_TEXT = 4000;
const MAX_DEPTH = 30;

/**
 * An answer as it may be kept beside its items: without the bytes that were in it, and no larger than 64 KiB. Of a larger one nothing
 * but its first names is kept; it is left at the byte that is too many. Texts that no database can hold (NUL, half of a surrogate pair)
 * are mended.
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
  // What was counted is a lower bound: escapes and characters beyond ASCII take more.
  if (object && Buffer.byteLength(JSON.stringify(object)) <= MAX_BYTES) return object;
  const names = isPlainObject(value) ? Object.keys(value).slice(0, 100) : ['value'];
  return { truncated: true, keys: names.map((name) => storable(name.slice(0, 200))) };
}

class Compacting {
  #bytes = 0;

  /** Undefined when it is more than may be kept. */
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
