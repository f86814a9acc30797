import { repairJson } from '../../json/repair-json.ts';

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
