import { constants, zstdDecompressSync } from 'node:zlib';

import { hasText, latin1, u16be, u16le, u32be, u32le, u8 } from '../byte-order.ts';
import type { XmlRoot } from '../xml-root.ts';
import type { Verdict } from './raster-structure.ts';
import { peekGzip } from './splat-structure.ts';

/** FBX in text: the comment that its writers put in front, and then the header with its version. */
export function isAsciiFbx(text: string): boolean {
  const [first = '', ...lines] = text.slice(0, 8192).split('\n');
  if (!/^; FBX \d{1,2}\.\d{1,2}\.\d{1,2} project file\s*$/.test(first)) return false;
  const [header = '', version = ''] = lines.map((line) => line.trim()).filter((line) => line && !line.startsWith(';'));
  return /^FBXHeaderExtension:\s{0,16}\{$/.test(header) && /^FBXHeaderVersion:\s{0,16}\d/.test(version);
}

/** The index after white space and comments. */
function afterAside(text: string, start: number): number {
  let at = start;
  for (; at < text.length; at++) {
    const char = text[at]!;
    if (char === '#') at = text.indexOf('\n', at);
    else if (char !== ' ' && char !== '\n' && char !== '\r' && char !== '\t') return at;
    if (at === -1) break;
  }
  return text.length;
}

/** The index after the metadata in parentheses at `start`; -1 when they do not end. */
function afterMetadata(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at]!;
    if (char === '#') {
      at = text.indexOf('\n', at);
      if (at === -1) return -1;
    } else if (char === '"' || char === "'" || char === '@') {
      const quote = text.startsWith(char.repeat(3), at) ? char.repeat(3) : char;
      at = afterQuote(text, at + quote.length, quote) - 1;
      if (at < 0) return -1;
    } else if (char === '(' || char === '[' || char === '{') depth++;
    else if (char === ')' || char === ']' || char === '}') {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}

function afterQuote(text: string, start: number, quote: string): number {
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\' && quote[0] !== '@') at++;
    else if (text.startsWith(quote, at)) return at + quote.length;
  }
  return -1;
}

/** USD in text: its first line, metadata of the layer if there are any, and then a prim or the end. */
export function isUsda(text: string, complete: boolean): Verdict {
  const first = /^#usda \d{1,3}\.\d{1,3}[ \t]{0,16}\r?\n/.exec(text.slice(0, 64));
  if (first === null) return false;
  const cut: Verdict = complete ? false : 'more';
  let at = afterAside(text, first[0].length);
  if (text[at] === '(') {
    at = afterMetadata(text, at);
    if (at === -1) return cut;
    at = afterAside(text, at);
  }
  if (at === text.length) return complete || 'more';
  const word = text.slice(at, at + 16);
  if (/^(def|over|class|reorder)\s/.test(word)) return true;
  return word.length < 8 ? cut : false;
}

/** USD in binary: the version of the layout, and where its table of contents stands, behind the header of 88 bytes. */
export function isUsdc(head: Uint8Array): boolean {
  return (
    hasText(head, 0, 'PXR-USDC\0') &&
    u8(head, 9) < 64 &&
    hasText(head, 11, '\0\0\0\0\0') &&
    (u32le(head, 16) >= 88 || u32le(head, 20) > 0) &&
    u32le(head, 20) < 2 ** 21
  );
}

/** COLLADA: the root and its version, which all of its schemas require. */
export function isColladaRoot(root: XmlRoot): boolean {
  const version = root.attributes?.get('version') ?? '';
  return root.doctype !== 'html' && /^([^:]+:)?COLLADA$/.test(root.name) && /^1\.\d(\.\d)?$/.test(version);
}

/** The names of the entries of a ZIP, as far as `head` shows them. */
function entryNames(head: Uint8Array): string[] {
  const names: string[] = [];
  const file = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  let at = 0;
  while (names.length < 64 && hasText(head, at, 'PK\x03\x04')) {
    const nameBytes = u16le(head, at + 26);
    names.push(latin1(head, at + 30, Math.min(nameBytes, 512)));
    const data = at + 30 + nameBytes + u16le(head, at + 28);
    // Written to a stream, an entry says its length only behind its bytes.
    const isStreamed = (u16le(head, at + 6) & 8) !== 0 && u32le(head, at + 18) === 0;
    at = isStreamed ? file.indexOf('PK\x03\x04', data, 'latin1') : data + u32le(head, at + 18);
    if (!(at > 0)) break;
  }
  return names;
}

/**
 * 3MF: a ZIP with the parts that each package has and the model. When the model is beyond `head`, the name must say 3MF, and the
 * inspector looks for the model.
 */
export function is3mf(head: Uint8Array, named: boolean): boolean {
  if (!hasText(head, 0, 'PK\x03\x04')) return false;
  const names = entryNames(head).map((name) => name.toLowerCase());
  const hasTypes = names.includes('[content_types].xml');
  if (hasTypes && names.includes('3d/3dmodel.model')) return true;
  return named && /^(\[content_types\]\.xml|_rels\/\.rels|3d\/.+|metadata\/.+)$/.test(names[0] ?? '');
}

/** Blender: the size of its pointers, its version, and the first of its blocks. */
function isBlendHeader(head: Uint8Array): boolean {
  const start = latin1(head, 0, 21);
  // Since version 5 the header says its own length, and that of a block has eight bytes.
  if (/^BLENDER17-01v\d{4}[A-Z0-9]{2}(\0\0|[A-Z0-9]{2})$/.test(start)) return true;
  const old = /^BLENDER[_-]([vV])\d{3}[A-Z0-9]{2}(\0\0|[A-Z0-9]{2})/.exec(start);
  const bytes = old?.[1] === 'V' ? u32be(head, 16) : u32le(head, 16);
  return old !== null && bytes > 0 && bytes < 2 ** 28;
}

/** `named`: the name says Blender; then the file may also be compressed. */
export function isBlend(head: Uint8Array, complete: boolean, named: boolean): Verdict {
  if (hasText(head, 0, 'BLENDER')) return isBlendHeader(head);
  if (!named) return false;
  if (u16be(head, 0) === 0x1f8b) return isBlendHeader(peekGzip(head));
  const end = firstZstdBlockEnd(head);
  if (end === undefined) return false;
  if (head.length < end) return complete ? false : 'more';
  try {
    const start = zstdDecompressSync(head.subarray(0, end), {
      finishFlush: constants.ZSTD_e_flush,
      maxOutputLength: 2 * MAX_ZSTD_BLOCK,
      params: { [constants.ZSTD_d_windowLogMax]: 24 },
    });
    return isBlendHeader(start);
  } catch {
    return false;
  }
}

const MAX_ZSTD_BLOCK = 128 * 1024;

/** RFC 8878, 3.1.1: where the first block of a frame ends. A block holds at most 128 KiB. */
function firstZstdBlockEnd(head: Uint8Array): number | undefined {
  if (!hasText(head, 0, '\x28\xb5\x2f\xfd')) return undefined;
  const flags = u8(head, 4);
  const isSingle = (flags & 0x20) !== 0;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][flags >> 6]!;
  const at = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][flags & 3]! + sizeBytes;
  const block = u16le(head, at) + u8(head, at + 2) * 65536;
  const [kind, bytes] = [(block >> 1) & 3, block >> 3];
  if (Number.isNaN(block) || kind === 3 || bytes > MAX_ZSTD_BLOCK) return undefined;
  return at + 3 + (kind === 1 ? 1 : bytes);
}
