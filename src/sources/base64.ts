import { setImmediate as nextTick } from 'node:timers/promises';
import { AppError } from '../errors.ts';

export interface DecodedData {
  bytes: Buffer;
  /** The media type that a data URI declares; not verified. */
  declaredType: string | undefined;
}

/** Characters decoded at a time, which takes about a millisecond. */
const SLICE = 1024 * 1024;

/**
 * Decodes base64 (white space and the URL-safe alphabet allowed, padding optional) or a data URI (RFC 2397, base64 or not). Lets other
 * work run between slices.
 * @throws AppError invalid_base64; file_missing when the data is empty
 */
export async function decodeData(data: string): Promise<DecodedData> {
  const { pieces, declaredType, mostBytes } = openData(data);
  const bytes = Buffer.allocUnsafeSlow(mostBytes);
  let length = 0;
  for (const piece of pieces) {
    bytes.set(piece, length);
    length += piece.length;
    await nextTick();
  }
  if (length === 0)
    throw new AppError('file_missing', 'The data is empty; send the bytes of a file.', { field: 'source.data' });
  return { bytes: bytes.subarray(0, length), declaredType };
}

/** As `decodeData`, but piece by piece. `mostBytes` is an upper bound of the decoded length. The pieces throw AppError invalid_base64. */
export function openData(data: string): {
  pieces: Iterable<Uint8Array>;
  declaredType: string | undefined;
  mostBytes: number;
} {
  const comma = /^\s*data:/i.test(data.slice(0, 100)) ? data.slice(0, MAX_URI_HEAD).indexOf(',') : -1;
  if (comma === -1)
    return { pieces: base64Pieces(data, 0), declaredType: undefined, mostBytes: mostBytesOf(data.length) };
  const [type = '', ...parameters] = data
    .slice(data.indexOf(':') + 1, comma)
    .split(';')
    .map((part) => part.trim());
  const declaredType = type === '' ? undefined : type.toLowerCase();
  if (parameters.some((parameter) => parameter.toLowerCase() === 'base64'))
    return { pieces: base64Pieces(data, comma + 1), declaredType, mostBytes: mostBytesOf(data.length) };
  return { pieces: escapedPieces(data, comma + 1), declaredType, mostBytes: (data.length - comma - 1) * 3 };
}
/** Most characters of a data URI before its comma. */
const MAX_URI_HEAD = 520;

/** Characters at each end of a text that are checked. */
const JUDGED = 64 * 1024;
const DIGITS_AND_SPACE = /^[A-Za-z0-9+/_\s-]*$/;

/**
 * Whether a text consists of base64 characters and white space, with at most two `=` at its end. Its length is not checked. Of a long text
 * only the beginning and the end are checked; decoding checks all of it.
 */
export function looksLikeBase64(text: string): boolean {
  let end = text.length;
  for (let padding = 0; end > 0; end -= 1) {
    const last = text.charAt(end - 1);
    if (last === '=') padding += 1;
    else if (last.trim() !== '') break;
    if (padding > 2) return false;
  }
  const start = text.slice(0, Math.min(end, JUDGED));
  return end > 0 && DIGITS_AND_SPACE.test(start) && DIGITS_AND_SPACE.test(text.slice(Math.max(0, end - JUDGED), end));
}

function mostBytesOf(characters: number): number {
  return Math.ceil(characters / 4) * 3;
}

const DIGITS = /^[A-Za-z0-9+/_-]*$/;

function* base64Pieces(text: string, start: number): Generator<Buffer> {
  /** Characters of an incomplete group of four. */
  let rest = '';
  let padding = 0;
  let digits = 0;
  for (let at = start; at < text.length; at += SLICE) {
    const compact = text.slice(at, at + SLICE).replace(/[\t\n\f\r ]+/g, '');
    const equals = compact.indexOf('=');
    const own = equals === -1 ? compact : compact.slice(0, equals);
    const end = equals === -1 ? '' : compact.slice(equals);
    if (!DIGITS.test(own) || (padding > 0 && own !== '') || end.length > 2 || end.replaceAll('=', '') !== '')
      throw invalid('it holds a character that is not base64');
    padding += end.length;
    if (padding > 2) throw invalid('it holds a character that is not base64');
    digits += own.length;
    const group = rest + own;
    const whole = group.length - (group.length % 4);
    rest = group.slice(whole);
    // A slice of white space yields an empty piece, so that other work can run between slices.
    yield Buffer.from(group.slice(0, whole), 'base64');
  }
  const over = digits % 4;
  if (over === 1 || (padding > 0 && (over + padding) % 4 !== 0))
    throw invalid('its length or padding is wrong; it may have been cut off');
  // Buffer also decodes the URL-safe alphabet, and needs no padding.
  if (rest !== '') yield Buffer.from(rest, 'base64');
}

/** Decodes the data of a data URI without base64: text with percent escapes. */
function* escapedPieces(text: string, start: number): Generator<Buffer> {
  for (let at = start; at < text.length;) {
    let end = Math.min(text.length, at + SLICE);
    // Do not cut inside a character of up to four escaped bytes or a surrogate pair. If no cut is found, the text is malformed.
    for (let back = 0; back < 12 && end < text.length && end > at + 1 && !isBoundary(text, end); back += 1) end -= 1;
    try {
      yield Buffer.from(decodeURIComponent(text.slice(at, end)));
    } catch (error) {
      throw invalid('the data URI has a broken percent escape', error);
    }
    at = end;
  }
}

/** Whether the text can be cut at `at` without splitting an escape or a surrogate pair. */
function isBoundary(text: string, at: number): boolean {
  const near = text.slice(Math.max(0, at - 2), at + 1);
  if (near.slice(0, 2).includes('%')) return false;
  // A UTF-8 continuation byte.
  if (/^%[89ab]/i.test(text.slice(at, at + 2))) return false;
  return !/[\udc00-\udfff]/.test(text.charAt(at));
}

function invalid(reason: string, cause?: unknown): AppError {
  return new AppError('invalid_base64', `The base64 data cannot be decoded: ${reason}.`, {
    field: 'source.data',
    cause,
  });
}
