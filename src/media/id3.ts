import { hasText, latin1, u24be, u32be, u8 } from './byte-order.ts';
import { decodeUtf8OrLatin1, untilZero, type EmbeddedTexts } from './embedded-texts.ts';

const MAX_FRAMES = 512;

/**
 * Adds the texts of an ID3v2 tag (id3.org, versions 2.2 to 2.4): `TXXX` under its own name in lower case, and comments as
 * `comment`. A tag that is cut gives those that are whole.
 */
export function addId3Texts(texts: EmbeddedTexts, tag: Uint8Array): void {
  const version = u8(tag, 3);
  const flags = u8(tag, 5);
  if (!hasText(tag, 0, 'ID3') || version < 2 || version > 4) return;
  // In version 2.2 this flag says that the tag is compressed, in a way that was never defined.
  if (version === 2 && flags & 0x40) return;
  const unsync = (flags & 0x80) !== 0;
  const whole = tag.subarray(10, 10 + size7(tag, 6));
  const body = unsync && version < 4 ? withoutUnsync(whole) : whole;
  let at = flags & 0x40 ? extendedHeaderBytes(body, version) : 0;
  const head = version === 2 ? 6 : 10;
  for (let frames = 0; frames < MAX_FRAMES && at + head <= body.length; frames += 1) {
    const name = latin1(body, at, version === 2 ? 3 : 4);
    const length = version === 2 ? u24be(body, at + 3) : version === 4 ? size7(body, at + 4) : u32be(body, at + 4);
    if (!/^[A-Z0-9]{3,4}$/.test(name) || !(length > 0) || at + head + length > body.length) return;
    const format = version === 2 ? 0 : u8(body, at + 9);
    const data = frameData(body.subarray(at + head, at + head + length), version, format, unsync);
    if (data) addFrame(texts, name, data);
    at += head + length;
  }
}

/** What a frame holds, by its format flags (ID3v2.3, 3.3.1; ID3v2.4, 4.1.2); undefined when it is compressed or encrypted. */
function frameData(frame: Uint8Array, version: number, format: number, unsync: boolean): Uint8Array | undefined {
  if (version === 3) return format & 0xc0 ? undefined : frame.subarray(format & 0x20 ? 1 : 0);
  if (version < 3 || format === 0) return unsync && version === 4 ? withoutUnsync(frame) : frame;
  if (format & 0x0c) return undefined;
  // A byte that groups frames, and the length without the zeros of unsynchronisation.
  const data = frame.subarray((format & 0x40 ? 1 : 0) + (format & 1 ? 4 : 0));
  return unsync || format & 2 ? withoutUnsync(data) : data;
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
  const name = bytes.subarray(0, end);
  const text = bytes.subarray(end + (wide ? 2 : 1));
  // Some writers put the mark of the byte order only before the first of the two.
  const order = coding === 1 && !hasMark(text) && hasText(name, 0, BIG_ENDIAN) ? 2 : coding;
  return [decode(name, coding), decode(text, order)];
}

function decode(bytes: Uint8Array, coding: number): string {
  if (coding !== 1 && coding !== 2) return untilZero(decodeUtf8OrLatin1(bytes));
  const bigEndian = hasMark(bytes) ? hasText(bytes, 0, BIG_ENDIAN) : coding === 2;
  return untilZero(new TextDecoder(bigEndian ? 'utf-16be' : 'utf-16le').decode(bytes));
}

const BIG_ENDIAN = '\xfe\xff';
const hasMark = (bytes: Uint8Array) => hasText(bytes, 0, BIG_ENDIAN) || hasText(bytes, 0, '\xff\xfe');

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
