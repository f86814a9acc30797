import type { Json } from '../../json/json.ts';
import { asArray, asObject, nonBlankText } from './json-access.ts';

/** Reads no more values than this at one path. */
const MAX_VALUES = 1000;

/**
 * The values at a path: names with dots between them, and `[]` behind a name for each entry of its list. The empty path is the value
 * itself. Null counts as absent.
 */
export function valuesAt(value: unknown, path: string): Json[] {
  let found: unknown[] = [value];
  for (const part of path === '' ? [] : path.split('.')) {
    const each = part.endsWith('[]');
    const name = each ? part.slice(0, -2) : part;
    found = found.map((one) => asObject(one)[name]).filter((one) => one !== undefined && one !== null);
    if (each) found = found.flatMap((one) => asArray(one).slice(0, MAX_VALUES));
  }
  return found.slice(0, MAX_VALUES) as Json[];
}

/** The first value at any of the paths. */
export function firstAt(value: unknown, paths: readonly string[]): Json | undefined {
  for (const path of paths) {
    const [first] = valuesAt(value, path);
    if (first !== undefined) return first;
  }
  return undefined;
}

/** The first text or number at any of the paths, as text. */
export function textAt(value: unknown, paths: readonly string[]): string | undefined {
  for (const path of paths)
    for (const found of valuesAt(value, path)) {
      const text = nonBlankText(found);
      if (text !== undefined) return text;
    }
  return undefined;
}
