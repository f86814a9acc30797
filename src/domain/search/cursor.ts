import { toIsoTime } from '../../db/timestamps.ts';
import { AppError } from '../../errors.ts';
import type { Signer } from '../delivery/signing.ts';
import { fingerprintOf } from '../idempotency.ts';

/** A name of one listing: its filters, order and caller. A cursor used with another listing would silently skip or repeat items. */
export function listingOf(parts: object): string {
  return fingerprintOf(parts).slice(0, 22);
}

/** The cursor of the place after which the next page begins. Only the last part may contain a space. */
export function sealCursor(signer: Signer, listing: string, place: readonly string[]): string {
  return signer.seal([listing, ...place].join(' '));
}

/** The place in a cursor of this listing, in `parts` parts. @throws AppError invalid_cursor */
export function openCursor(
  signer: Signer,
  cursor: string,
  { listing, parts }: { listing: string; parts: number },
): string[] {
  const [of, ...words] = signer.unseal(cursor)?.split(' ') ?? [];
  if (of !== listing || words.length < parts)
    throw new AppError(
      'invalid_cursor',
      "The cursor was cut or changed, or comes from another listing; use 'nextCursor' of the page before, with the same filters and token.",
      { field: 'cursor' },
    );
  return [...words.slice(0, parts - 1), words.slice(parts - 1).join(' ')];
}

/**
 * A time for a cursor. One beyond RFC 3339 (an older system's row may hold `infinity`) stays in PostgreSQL's form, so that the
 * listing can continue there.
 */
export function timeInCursor(createdAt: string): string {
  return toIsoTime(createdAt) ?? createdAt.replaceAll(' ', '_');
}

/** The time that a cursor holds. */
export function timeOfCursor(text: string): string {
  return text.replaceAll('_', ' ');
}
