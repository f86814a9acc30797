import { isStorable } from '../../domain/items/text-limits.ts';
import { AppError } from '../../errors.ts';

/**
 * Refuses text of a query, path or form that PostgreSQL cannot hold, or whose bytes were not UTF-8: decoders replace what they
 * cannot read by U+FFFD, which would be stored as if the caller had meant it.
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
