import type { ByteRange } from '../../storage/driver.ts';

/** A parsed Range header: the whole (nothing usable), a part, or an unsatisfiable part. */
export type RangeRequest = { type: 'whole' } | { type: 'part'; range: ByteRange } | { type: 'unsatisfiable' };

const WHOLE: RangeRequest = { type: 'whole' };

/**
 * Parses a Range header (RFC 9110, 14.1.2). "An origin server MUST ignore a Range header field that contains a range unit it does
 * not understand"; an invalid one may be ignored, and so may several ranges, which media players do not need.
 */
export function parseRange(header: string | undefined, size: number): RangeRequest {
  const match = header === undefined || header.length > 200 ? null : /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header);
  if (!match) return WHOLE;
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return WHOLE;
    // "If the selected representation is shorter than the specified suffix-length, the entire representation is used."
    const suffix = Math.min(Number(last), size);
    return suffix === 0 ? { type: 'unsatisfiable' } : { type: 'part', range: { start: size - suffix, end: size - 1 } };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return WHOLE;
  return start >= size ? { type: 'unsatisfiable' } : { type: 'part', range: { start, end } };
}
