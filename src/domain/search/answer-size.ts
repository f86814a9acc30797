import type { MediaItem } from '../../db/item-columns.ts';
import { MAX_PAGE_BYTES, abridged } from '../../db/items/item-pages.ts';

/** As many items, from the first on, as fit into a JSON response: escapes make texts longer than the bytes in the row. */
export function itemsThatFit<T>(items: readonly T[], maxBytes = MAX_PAGE_BYTES): T[] {
  return items.slice(
    0,
    countThatFits(items, (item) => Buffer.byteLength(JSON.stringify(item)), maxBytes),
  );
}

/** All items, abridged from where they would exceed that size: for responses that may leave none out. */
export function abridgedToFit(items: readonly MediaItem[], maxBytes = MAX_PAGE_BYTES): MediaItem[] {
  const whole = countThatFits(items, (item) => Buffer.byteLength(JSON.stringify(item)), maxBytes);
  return items.map((item, index) => (index < whole ? item : abridged(item)));
}

/** How many fit; the first always does. */
export function countThatFits<T>(items: readonly T[], bytesOf: (item: T) => number, maxBytes = MAX_PAGE_BYTES): number {
  let bytes = 0;
  const last = items.findIndex((item) => (bytes += bytesOf(item)) > maxBytes);
  return last === -1 ? items.length : Math.max(1, last);
}
