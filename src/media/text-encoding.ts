import { u16be, u8 } from './byte-order.ts';

const CONTROL_WINDOW_BYTES = 64 * 1024;

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** Detects the encoding by the byte order mark, else by the zero bytes around a leading `<` (XML 1.0 appendix F); UTF-8 by default. */
function encodingOf(bytes: Uint8Array): Encoding {
  const start = u16be(bytes, 0);
  if (start === 0xfeff || start === 0x003c) return 'utf-16be';
  if (start === 0xfffe || start === 0x3c00) return 'utf-16le';
  return 'utf-8';
}

/** Whether a character is a control character other than white space and escape, which text does not contain. */
function isControl(code: number): boolean {
  return code < 32 && !(code >= 9 && code <= 13) && code !== 27;
}

/**
 * Decodes the first `most` bytes without the byte order mark. Bytes that are not valid UTF-8 (Latin-1, a character cut off
 * at the end) become U+FFFD.
 * @returns undefined if they contain control characters and are therefore not text
 */
export function decodeText(bytes: Uint8Array, most: number): string | undefined {
  const encoding = encodingOf(bytes);
  const window = bytes.subarray(0, Math.min(most, CONTROL_WINDOW_BYTES));
  if (encoding === 'utf-8' && window.some(isControl)) return undefined;
  const text = new TextDecoder(encoding).decode(bytes.subarray(0, most));
  if (encoding === 'utf-8') return text;
  for (let i = 0; i < Math.min(text.length, CONTROL_WINDOW_BYTES); i++) {
    if (isControl(text.charCodeAt(i))) return undefined;
  }
  // A JPEG XL or MP3 frame can start with FF FE, but text consists mostly of letters.
  return u8(bytes, 0) === 0xff && !/[\s<>{}a-z0-9]/i.test(text.slice(0, 256)) ? undefined : text;
}
