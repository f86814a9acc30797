import { hasText, latin1, u24be, u32be, u8 } from './byte-order.ts';
import { decodeUtf8OrLatin1, untilZero, type EmbeddedTexts } from './embedded-texts.ts';

const MAX_FRAMES = 512;

/**
 * Adds the texts of an ID3v2 tag (id3.org, versions 2.2 to 2.4): `TXXX` under its own name in lower case, and comments as
 * `comment`. `tag` begins with `ID3`.
 */
export function addId3Texts(texts: EmbeddedTexts, tag: Uint8Array): void {
  const version = u8(tag, 3);
  const flags = u8(tag, 5);
  const whole = tag.subarray(10, 10 + size7(tag, 6));
  const body = flags & 0x80 && version < 4 ? withoutUnsync(whole) : whole;
  let at = flags & 0x40 ? extendedHeaderBytes(body, version) : 0;
  const head = version === 2 ? 6 : 10;
  for (let frames = 0; frames < MAX_FRAMES && at + head <= body.length; frames += 1) {
    const name = latin1(body, at, version === 2 ? 3 : 4);
    const length = version === 2 ? u24be(body, at + 3) : version === 4 ? size7(body, at + 4) : u32be(body, at + 4);
    if (!/^[A-Z0-9]{3,4}$/.test(name) || !(length > 0) || at + head + length > body.length) return;
    let data = body.subarray(at + head, at + head + length);
    const format = version === 4 ? u8(body, at + 9) : 0;
    if (format & 1) data = data.subarray(4);
    if (format & 2) data = withoutUnsync(data);
    // Compressed and encrypted frames stay unread.
    if ((format & 0x0c) === 0) addFrame(texts, name, data);
    at += head + length;
  }
}

function addFrame(texts: EmbeddedTexts, name: string, data: Uint8Array): void {
  if (!['TXXX', 'TXX', 'COMM', 'COM'].includes(name) || !texts.accepts(name, data.length)) return;
  const coding = u8(data, 0);
  const comment = name.startsWith('COM');
  // A comment has a language of three letters before its name.
  const [key, value] = twoStrings(data.subarray(comment ? 4 : 1), coding);
  texts.add(comment ? (key === '' ? 'comment' : key.toLowerCase()) : key.toLowerCase(), value);
}

/** A name and a text, with a zero between them. */
function twoStrings(bytes: Uint8Array, coding: number): [string, string] {
  const wide = coding === 1 || coding === 2;
  let end = bytes.indexOf(0);
  if (wide) for (end = 0; end + 1 < bytes.length && (bytes[end] !== 0 || bytes[end + 1] !== 0); end += 2);
  if (end < 0 || end >= bytes.length) return ['', decode(bytes, coding)];
  return [decode(bytes.subarray(0, end), coding), decode(bytes.subarray(end + (wide ? 2 : 1)), coding)];
}

function decode(bytes: Uint8Array, coding: number): string {
  return untilZero(
    coding === 1 || coding === 2
      ? new TextDecoder(isBigEndian(bytes, coding) ? 'utf-16be' : 'utf-16le').decode(bytes)
      : decodeUtf8OrLatin1(bytes),
  );
}

function isBigEndian(bytes: Uint8Array, coding: number): boolean {
  return coding === 2 ? !hasText(bytes, 0, '\xff\xfe') : hasText(bytes, 0, '\xfe\xff');
}

/** Seven bits in each byte, so that a length never looks like the start of a frame. */
function size7(bytes: Uint8Array, at: number): number {
  return [0, 1, 2, 3].reduce((sum, index) => sum * 128 + (u8(bytes, at + index) & 0x7f), 0);
}

function extendedHeaderBytes(body: Uint8Array, version: number): number {
  return version === 4 ? size7(body, 0) : u32be(body, 0) + 4;
}

/** Removes the zero that was put after every 0xff (ID3v2.4, 6.1). */
function withoutUnsync(bytes: Uint8Array): Uint8Array {
  const kept = new Uint8Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    kept[length] = u8(bytes, at);
    length += 1;
    if (bytes[at] === 0xff && bytes[at + 1] === 0) at += 1;
  }
  return kept.subarray(0, length);
}
