/** A value out of a file: nothing is known of it. */
export type Loose = Record<string, unknown>;

/** What Python's `json` writes and no JSON reader takes, and integers with more digits than a double keeps. */
const NEEDS_REPAIR = /NaN|Infinity|\d{16}/;

/**
 * Makes valid JSON of what Python wrote: `NaN`, `Infinity` and `-Infinity` outside of texts become `null`. Integers beyond
 * 2^53 become texts with `quoteIntegers`, since parsing would round them.
 */
export function repairJson(text: string, { quoteIntegers }: { quoteIntegers: boolean }): string {
  if (!NEEDS_REPAIR.test(text)) return text;
  const parts: string[] = [];
  let copied = 0;
  const token = /"|-?(?:NaN|Infinity)\b|-?\d[\d.eE+-]*/g;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [word] = match;
    if (word === '"') {
      token.lastIndex = endOfText(text, match.index + 1);
      continue;
    }
    const long = quoteIntegers && word.length >= 16 && /^-?\d+$/.test(word) && !Number.isSafeInteger(Number(word));
    const instead = /[NI]/.test(word) ? 'null' : long ? `"${word}"` : undefined;
    if (instead === undefined) continue;
    parts.push(text.slice(copied, match.index), instead);
    copied = token.lastIndex;
  }
  return parts.join('') + text.slice(copied);
}

/** The place behind the quote that ends the text which begins at `at`. */
function endOfText(text: string, at: number): number {
  for (let quote = text.indexOf('"', at); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let slashes = 0;
    while (text[quote - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

/** Characters that are parsed while a file is taken in: deep nesting makes parsing slow, and all else waits for it. */
const MAX_SETTINGS = 256 * 1024;
/** Graphs are larger: they may hold pictures. */
export const MAX_GRAPH = 2 * 1024 * 1024;

/** The JSON object in a text, integers beyond 2^53 as texts; undefined when there is none, or it is too long. */
export function parseObject(text: string | undefined, maxLength = MAX_SETTINGS): Loose | undefined {
  if (text === undefined || text.length > maxLength || !/^\s*\{/.test(text)) return undefined;
  try {
    return asLoose(JSON.parse(repairJson(text, { quoteIntegers: true })));
  } catch {
    return undefined;
  }
}

export function asLoose(value: unknown): Loose | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Loose) : undefined;
}

export function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Own keys alone: a file may ask for `constructor`. */
export function get(value: Loose | undefined, key: string): unknown {
  return value !== undefined && Object.hasOwn(value, key) ? value[key] : undefined;
}

export function asText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : undefined;
}

export function asNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
