import type { MediaItem } from '../../db/item-columns.ts';
import { MAX_PAGE_BYTES, abridged } from '../../db/items/item-pages.ts';

/** As many of the items, from the first on, as fit into an answer as JSON: escapes make more of a text than its bytes in the row. */
export function itemsThatFit<T>(items: readonly T[], maxBytes = MAX_PAGE_BYTES): T[] {
  return items.slice(
    0,
    countThatFits(items, (item) => Buffer.byteLength(JSON.stringify(item)), maxBytes),
  );
}

/** The same items, abridged from where they would make the answer larger than that: for answers that may leave none out. */
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
