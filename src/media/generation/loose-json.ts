import { repairJson } from '../../json/repair-json.ts';
import { untilZero } from '../embedded-texts.ts';

/** An unchecked object from a file. */
export type Loose = Record<string, unknown>;

/** Most characters parsed while a file is stored: deeply nested JSON parses slowly and blocks the process. */
const MAX_SETTINGS = 256 * 1024;
/** Graphs may be larger, because they can contain images. */
export const MAX_GRAPH = 2 * 1024 * 1024;

/** Parses the JSON object in a text, with integers beyond 2^53 as strings; undefined when it holds none or is too long. */
export function parseObject(text: string | undefined, maxLength = MAX_SETTINGS): Loose | undefined {
  if (text === undefined || text.length > maxLength || !/^\s*\{/.test(text)) return undefined;
  try {
    // TensorArt ends its texts with zeros.
    return asLoose(JSON.parse(repairJson(untilZero(text), { quoteIntegers: true })));
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

/** The JSON of a member that is an object, as it stands in the JSON of the object around it: with all digits of its numbers. */
export function memberText(json: string, name: string): string | undefined {
  const token = /["{}[\]]/g;
  let depth = 0;
  let start = -1;
  for (let match = token.exec(json); match; match = token.exec(json)) {
    const [sign] = match;
    if (sign === '"') {
      const end = endOfString(json, match.index + 1);
      const colon = /\s{0,100}:/y;
      colon.lastIndex = end;
      if (depth === 1 && start < 0 && json.slice(match.index + 1, end - 1) === name && colon.test(json))
        start = colon.lastIndex;
      token.lastIndex = end;
    } else if (sign === '{' || sign === '[') depth += 1;
    else {
      depth -= 1;
      if (depth === 1 && start >= 0) return json.slice(start, match.index + 1).trim();
    }
  }
  return undefined;
}

/** The index after the closing quote. */
function endOfString(json: string, from: number): number {
  for (let at = from; at < json.length; at += 1) {
    if (json[at] === '\\') at += 1;
    else if (json[at] === '"') return at + 1;
  }
  return json.length;
}
