import { hasText, u32be } from '../byte-order.ts';

/** A header and a number of tags, of which there may be none (ICC.1 7.2 and 7.3). */
export const PROFILE_HEAD_BYTES = 132;
/** As much as a JPEG can hold; profiles of printers have a few megabytes. */
export const MAX_PROFILE_BYTES = 255 * 65_519;

/** How long a colour profile that begins so says that it is; undefined: it is none. What follows behind that is no colour. */
export function profileSize(start: Uint8Array): number | undefined {
  if (start.length < PROFILE_HEAD_BYTES || !hasText(start, 36, 'acsp')) return undefined;
  const size = u32be(start, 0);
  return size >= PROFILE_HEAD_BYTES && size <= MAX_PROFILE_BYTES ? size : undefined;
}
