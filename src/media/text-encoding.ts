import { u16be, u8 } from './byte-order.ts';

const CONTROL_WINDOW_BYTES = 64 * 1024;

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** By the byte order mark, else by the zero bytes around a leading `<` (XML 1.0 appendix F), else UTF-8. */
function encodingOf(bytes: Uint8Array): Encoding {
  const start = u16be(bytes, 0);
  if (start === 0xfeff || start === 0x003c) return 'utf-16be';
  if (start === 0xfffe || start === 0x3c00) return 'utf-16le';
  return 'utf-8';
}

/** Whether a character is one that no text has: a control other than white space and escape. */
function isControl(code: number): boolean {
  return code < 32 && !(code >= 9 && code <= 13) && code !== 27;
}

/**
 * The text of the first `most` bytes without its byte order mark, or undefined if they are not a text: they hold
 * control characters. Bytes that are not valid UTF-8 (Latin-1, a character cut at the end) become U+FFFD.
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
  // A JPEG XL or MP3 frame can start with FF FE; a text has mostly letters.
  return u8(bytes, 0) === 0xff && !/[\s<>{}a-z0-9]/i.test(text.slice(0, 256)) ? undefined : text;
}
