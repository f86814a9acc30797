import { hasText, u32le } from '../byte-order.ts';
import type { Findings, FormatParser } from '../parsing/findings.ts';
import { isGltf } from '../gltf-asset.ts';
import { take, takeSome, takeUpTo, MAX_TAKE_BYTES } from '../pull-reader.ts';
import { memberText } from '../generation/loose-json.ts';
import { decodeText } from '../text-encoding.ts';

/** A 3D model that its first bytes prove; nothing else is read. */
export const parseNothing: FormatParser = function* () {};

/** The length of a binary STL: 80 bytes of comment, a count, 50 bytes for each triangle. */
export function binaryStlBytes(triangles: number): number {
  return 84 + 50 * triangles;
}

/** Checks STL: a binary file must have the length that its triangle count gives; an ASCII file must be text to its end. */
export const parseStl: FormatParser = function* (found) {
  const head = (yield* takeUpTo(84)).slice();
  const expected = binaryStlBytes(u32le(head, 80));
  const ascii = decodeText(head, head.length)?.trimStart().startsWith('solid') === true;
  let zero = false;
  found.atEnd = (total) => {
    // A binary file may begin with the word that marks ASCII, so its length decides.
    if (total === expected) return;
    if (!ascii) found.rejected = 'the length does not agree with the number of triangles';
    else if (zero) found.rejected = 'the text turns into binary data';
  };
  while (ascii) zero = (yield* takeSome()).includes(0) || zero;
};

/** Wavefront OBJ has no signature, so it must be text to its end. */
export const parseObj: FormatParser = function* (found) {
  while (found.rejected === null) {
    if ((yield* takeSome()).includes(0)) found.rejected = 'the text turns into binary data';
  }
};

/** FBX: one in text must be text to its end. */
export const parseFbx: FormatParser = function* (found, source) {
  if (hasText(yield* take(1), 0, ';')) yield* parseObj(found, source);
};

/** 3MF: the directory of the ZIP names its model. Searched for as a text, because the sniffer may not have seen it. */
export const parse3mf: FormatParser = function* (found) {
  found.rejected = 'the ZIP has no 3D model in it';
  let before = '';
  for (;;) {
    const bytes = yield* takeSome();
    const text = before + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    if (MODEL_PART.test(text)) break;
    before = text.slice(-MODEL_PART_BYTES);
  }
  found.rejected = null;
};
const MODEL_PART = /3D\/[\w. -]{1,64}\.model/i;
const MODEL_PART_BYTES = 80;

/** glTF in JSON: parsed when it is small enough to be kept in memory; a larger one must at least end as an object. */
export const parseGltf: FormatParser = function* (found) {
  const invalid = 'the JSON is not a complete glTF document';
  const head = yield* takeUpTo(MAX_TAKE_BYTES);
  if (head.length < MAX_TAKE_BYTES) {
    const text = new TextDecoder().decode(head);
    if (isGltf(text)) addExtras(found, text);
    else found.rejected = invalid;
    return;
  }
  let last = lastVisible(head) ?? 0;
  found.atEnd = () => {
    if (last !== 0x7d) found.rejected = invalid;
  };
  for (;;) last = lastVisible(yield* takeSome()) ?? last;
};

/** Adds `asset.extras` (glTF 2.0, 5.9.5), in which ComfyUI writes how a model was made. */
function addExtras({ texts }: Findings, json: string): void {
  if (!json.includes('"extras"') || !texts.accepts('asset.extras', json.length)) return;
  const extras = memberText(memberText(json, 'asset') ?? '', 'extras');
  if (extras !== undefined) texts.add('extras', extras);
}

/** GLB (glTF 2.0, 4.4): the JSON is the first chunk. */
export const parseGlb: FormatParser = function* (found) {
  const head = yield* take(20);
  const bytes = u32le(head, 12);
  if (hasText(head, 16, 'JSON') && bytes <= MAX_GLB_JSON)
    addExtras(found, new TextDecoder().decode(yield* take(bytes)));
};
/** With the pictures and shapes in chunks of their own, the JSON is short. */
const MAX_GLB_JSON = 2 * 1024 * 1024;

function lastVisible(bytes: Uint8Array): number | undefined {
  for (let at = bytes.length - 1; at >= 0; at--) {
    const byte = bytes[at]!;
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
  }
  return undefined;
}
