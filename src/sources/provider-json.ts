import { AppError } from '../errors.ts';
import { storable } from './storable-text.ts';
import type { Json } from './answers/answer.ts';

/**
 * Reads what a provider sends. More lenient than a caller's JSON, because a provider that is refused sends no second version:
 * keys that could reach a prototype are dropped, characters that no database can hold are replaced, and integers beyond 2^53 (seeds)
 * become texts rather than other integers.
 * @throws AppError invalid_json
 */
export function parseProviderJson(body: Buffer): Json {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    throw new AppError('invalid_json', 'The body is not valid UTF-8.', { cause: error });
  }
  try {
    // The third argument is newer than the types: the text that the value was written as.
    const parse = JSON.parse as (
      text: string,
      reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
    ) => Json;
    return parse(text, (key, value, { source }) => {
      if (key === '__proto__') return undefined;
      const exact = typeof value === 'number' && /^-?\d+$/.test(source ?? '') && !Number.isSafeInteger(value);
      if (exact) return source;
      return typeof value === 'string' ? storable(value) : value;
    });
  } catch (error) {
    throw new AppError('invalid_json', 'The body is not valid JSON.', { cause: error });
  }
}
