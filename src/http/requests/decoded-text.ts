import { isStorable } from '../../domain/items/text-limits.ts';
import { AppError } from '../../errors.ts';

/**
 * Refuses a text of a query, a path or a form that no text in PostgreSQL can hold, or whose bytes were not UTF-8: the
 * decoders put U+FFFD in place of what they cannot read, and it would be stored as if the caller had meant it.
 * @throws AppError invalid_text
 */
export function checkDecoded(name: string, text: string): void {
  if (isStorable(text) && !text.includes('\ufffd')) return;
  throw new AppError(
    'invalid_text',
    `'${name.slice(0, 100)}' holds a NUL character or bytes that are not UTF-8; remove them.`,
    { field: name.slice(0, 100) },
  );
}
