import { be16, be32, bytes, le16, le32, utf8, zeros } from './bytes.ts';
import { riffChunk } from './made-images.ts';
import { ebml, element } from './made-video.ts';

const seven = (size: number): number[] => [21, 14, 7, 0].map((shift) => (size >> shift) & 0x7f);

/** Puts a zero after every 0xff (ID3v2.4, 6.1). */
export function unsynchronised(data: Uint8Array): Uint8Array {
  return bytes(...[...data].map((byte) => (byte === 0xff ? [byte, 0] : [byte])));
}

/** A frame of an ID3v2 tag; `format` is the second byte of its flags. */
export function id3Frame(version: 2 | 3 | 4, name: string, data: Uint8Array, format = 0): Uint8Array {
  if (version === 2) return bytes(name, be32(data.length).subarray(1), data);
  return bytes(name, version === 4 ? seven(data.length) : be32(data.length), [0, format], data);
}

/** An ID3v2 tag; `flags` says what `body` has been made to be. */
export function id3Tag(version: number, flags: number, body: Uint8Array): Uint8Array {
  return bytes('ID3', [version, 0, flags], seven(body.length), body);
}

type Coding = 'latin1' | 'utf16' | 'utf16-big' | 'utf16be' | 'utf8';
const CODINGS: Readonly<Record<Coding, number>> = { latin1: 0, utf16: 1, 'utf16-big': 1, utf16be: 2, utf8: 3 };

function encoded(text: string, coding: Coding): Uint8Array {
  if (coding === 'latin1') return Buffer.from(text, 'latin1');
  if (coding === 'utf8') return utf8(text);
  const little = Buffer.from(text, 'utf16le');
  if (coding === 'utf16') return bytes([0xff, 0xfe], little);
  return coding === 'utf16-big' ? bytes([0xfe, 0xff], little.swap16()) : little.swap16();
}

const end = (coding: Coding): Uint8Array => zeros(coding.startsWith('utf16') ? 2 : 1);

/** What a `TXXX` frame holds. */
export const userText = (name: string, text: string, coding: Coding = 'utf8'): Uint8Array =>
  bytes(CODINGS[coding], encoded(name, coding), end(coding), encoded(text, coding));
/** What a `COMM` frame holds. */
export const commentText = (name: string, text: string, coding: Coding = 'utf8'): Uint8Array =>
  bytes(CODINGS[coding], 'eng', encoded(name, coding), end(coding), encoded(text, coding));

/** Vorbis comments. */
export function comments(values: Readonly<Record<string, string>>, vendor = 'test'): Uint8Array {
  const lines = Object.entries(values).map(([name, value]) => utf8(`${name}=${value}`));
  const pairs = lines.map((line) => bytes(le32(line.length), line));
  return bytes(le32(vendor.length), vendor, le32(lines.length), ...pairs);
}

/** A page of Ogg that holds these laces' worth of bytes. */
function page(serial: number, flags: number, laces: number[], body: Uint8Array): Uint8Array {
  const none = Array.from({ length: 8 }, () => 0xff);
  return bytes('OggS\0', flags, none, le32(serial), zeros(8), laces.length, laces, body);
}

/** Pages of one stream: the first packet alone, then the second, cut into pages of `segments` segments, and a third. */
export function oggStream(serial: number, first: Uint8Array, second: Uint8Array, segments = 255): Uint8Array[] {
  const laces = Array.from({ length: Math.floor(second.length / 255) }, () => 255);
  laces.push(second.length % 255);
  const pages = [page(serial, 2, [first.length], first)];
  for (let lace = 0, at = 0; lace < laces.length; lace += segments) {
    const own = laces.slice(lace, lace + segments);
    const size = own.reduce((sum, each) => sum + each, 0);
    const last = lace + segments >= laces.length;
    // The third packet begins on the page on which the second ends, where it has room.
    const third = last && own.length < 255 ? [9] : [];
    const body = bytes(second.subarray(at, at + size), zeros(third.length > 0 ? 9 : 0));
    pages.push(page(serial, lace > 0 ? 1 : 0, [...own, ...third], body));
    at += size;
  }
  return pages;
}

/** The first packets of streams, by codec, and what stands before the comments in the second. */
export const CODECS: readonly (readonly [codec: string, first: Uint8Array, before: Uint8Array])[] = [
  ['Vorbis', bytes('\x01vorbis', zeros(4), 2, le32(44_100), zeros(14)), bytes('\x03vorbis')],
  ['Opus', bytes('OpusHead', [1, 2], le16(312), le32(48_000), zeros(3)), bytes('OpusTags')],
  ['Theora', bytes('\x80theora', [3, 2, 1], zeros(32)), bytes('\x81theora')],
  ['FLAC in Ogg', bytes('\x7fFLAC', [1, 0, 0, 1], 'fLaC', [0, 0, 0, 34], zeros(34)), bytes([0x84, 0, 0, 0])],
  ['Speex', bytes('Speex   ', zeros(28), le32(16_000), zeros(40)), zeros(0)],
];

const SIMPLE_TAG = [0x67, 0xc8];
export const tagName = (name: string): Uint8Array => element([0x45, 0xa3], name);
export const tagString = (text: string): Uint8Array => element([0x44, 0x87], utf8(text));
export const simpleTag = (...parts: Uint8Array[]): Uint8Array => element(SIMPLE_TAG, ...parts);
export const simpleTags = (values: Readonly<Record<string, string>>): Uint8Array[] =>
  Object.entries(values).map(([name, text]) => simpleTag(tagName(name), tagString(text)));
/** `Tags` with one `Tag`, which is about the whole file. */
export const matroskaTags = (...simple: Uint8Array[]): Uint8Array =>
  element([0x12, 0x54, 0xc3, 0x67], element([0x73, 0x73], element([0x63, 0xc0], element([0x68, 0xca], 50)), ...simple));
export const cluster = (size: number): Uint8Array => element([0x1f, 0x43, 0xb6, 0x75], element([0xa3], zeros(size)));
const info = element([0x15, 0x49, 0xa9, 0x66], element([0x2a, 0xd7, 0xb1], be32(1_000_000)));
const track = element(
  [0xae],
  element([0x83], 1),
  element([0xe0], element([0xb0], be16(640)), element([0xba], be16(360))),
);
export const matroska = (...parts: Uint8Array[]): Uint8Array =>
  bytes(ebml('matroska'), element([0x18, 0x53, 0x80, 0x67], info, element([0x16, 0x54, 0xae, 0x6b], track), ...parts));

/** 8 kHz, 16 bits, mono: 16 bytes a millisecond. */
export function wavOf(before: Uint8Array[], data: Uint8Array, after: Uint8Array[]): Uint8Array {
  const format = riffChunk('fmt ', bytes(le16(1), le16(1), le32(8000), le32(16_000), le16(2), le16(16)));
  const content = bytes('WAVE', format, ...before, riffChunk('data', data), ...after);
  return bytes('RIFF', le32(content.length), content);
}
export const infoList = (...entries: [string, string][]): Uint8Array =>
  riffChunk('LIST', bytes('INFO', ...entries.map(([id, text]) => riffChunk(id, bytes(utf8(text), 0)))));

/** A text as blocks of at most 255 bytes, with the empty one that ends them. */
const blocks = (body: Uint8Array): Uint8Array => {
  const count = Math.ceil(body.length / 255);
  const each = Array.from({ length: count }, (_value, index) => body.subarray(index * 255, index * 255 + 255));
  return bytes(...each.map((block) => bytes(block.length, block)), 0);
};
export const gifComment = (text: string): Uint8Array => bytes([0x21, 0xfe], blocks(utf8(text)));
/** XMP, as its specification has it in GIF: without blocks, and with a trailer of falling numbers. */
export const gifXmp = (xmp: string): Uint8Array =>
  bytes([0x21, 0xff, 11], 'XMP DataXMP', utf8(xmp), 1, [...Array(256).keys()].toReversed(), 0);
const frame = bytes([0x21, 0xf9, 4, 0], le16(5), [0, 0], 0x2c, zeros(4), le16(3), le16(2), 0, 2, [2, 0x4c, 1, 0]);
/** Two frames of 50 ms, with these extensions before, between and after them. */
export const gifOf = (before: Uint8Array[], between: Uint8Array[] = [], after: Uint8Array[] = []): Uint8Array =>
  bytes('GIF89a', le16(3), le16(2), [0x80, 0, 0], zeros(6), ...before, frame, ...between, frame, ...after, 0x3b);

/** GLB with this JSON in its first chunk. */
export function glb(json: string): Uint8Array {
  const padded = bytes(utf8(json), ' '.repeat((4 - (Buffer.byteLength(json) % 4)) % 4));
  return bytes('glTF', le32(2), le32(20 + padded.length), le32(padded.length), 'JSON', padded);
}
