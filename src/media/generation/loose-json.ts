/** An unchecked object from a file. */
export type Loose = Record<string, unknown>;

/** Values that Python's `json` writes although they are not JSON, and integers with more digits than a double keeps. */
const NEEDS_REPAIR = /NaN|Infinity|\d{16}/;

/**
 * Turns Python's output into valid JSON: `NaN`, `Infinity` and `-Infinity` outside strings become `null`. With
 * `quoteIntegers`, integers beyond 2^53 become strings, since parsing would round them.
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

/** The index after the closing quote of the string that begins at `at`. */
function endOfText(text: string, at: number): number {
  for (let quote = text.indexOf('"', at); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let slashes = 0;
    while (text[quote - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

/** Most characters parsed while a file is stored: deeply nested JSON parses slowly and blocks the process. */
const MAX_SETTINGS = 256 * 1024;
/** Graphs may be larger, because they can contain images. */
export const MAX_GRAPH = 2 * 1024 * 1024;

/** Parses the JSON object in a text, with integers beyond 2^53 as strings; undefined when it holds none or is too long. */
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

/** Reads own properties only: a file may contain keys like `constructor`. */
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
