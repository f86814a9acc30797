import { hasText, u32be } from '../byte-order.ts';

/** The smallest profile: a header and a count of tags (ICC.1 7.2 and 7.3). */
export const PROFILE_HEAD_BYTES = 132;
/** As much as a JPEG can hold. Printer profiles have a few megabytes. */
export const MAX_PROFILE_BYTES = 255 * 65_519;

/** The declared length of a colour profile with this beginning; undefined when it is none. Bytes after that length are not part of it. */
export function profileSize(start: Uint8Array): number | undefined {
  if (start.length < PROFILE_HEAD_BYTES || !hasText(start, 36, 'acsp')) return undefined;
  const size = u32be(start, 0);
  return size >= PROFILE_HEAD_BYTES && size <= MAX_PROFILE_BYTES ? size : undefined;
}
