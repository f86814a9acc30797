import { hasText, u8 } from '../byte-order.ts';
import { profileSize } from './colour-profile.ts';

const ICC = 'ICC_PROFILE\0';
/** Length of JFIF's header without a thumbnail (JFIF 1.02, page 5). */
const JFIF_BYTES = 12;
/** Length of Adobe's segment: version, two words of flags, and the colour transform. */
const ADOBE_BYTES = 12;
/** Most colour components of a picture; most codes in a Huffman table (ITU-T T.81 B.2.4.2). */
const MAX_COMPONENTS = 4;
const MAX_CODES = 256;

/** Decides which segments of one JPEG are kept. They are cut to their meaningful length: bytes appended to them may be text. */
export class PartsOfJpeg {
  #jfif = false;
  #adobe = false;
  /** The number of the next piece of the colour profile, and how many of the profile's bytes are still missing. */
  #profile: { next: number; count: number; left: number } | undefined;

  /** The part of a segment's data to keep; undefined to drop the segment. */
  kept(code: number, data: Uint8Array): Uint8Array | undefined {
    if (code === 0xe0) return this.#jfifOf(data);
    if (code === 0xe2) return this.#profileOf(data);
    if (code === 0xee) return this.#adobeOf(data);
    // APPn, JPGn and COM hold application data and comments, and JPG is reserved. The others code the picture.
    if (code >= 0xe0 || code === 0xc8) return undefined;
    return data.subarray(0, codedBytes(code, data));
  }

  #jfifOf(data: Uint8Array): Uint8Array | undefined {
    if (this.#jfif || !hasText(data, 0, 'JFIF\0') || data.length < JFIF_BYTES) return undefined;
    this.#jfif = true;
    return Uint8Array.of(...data.subarray(0, JFIF_BYTES), 0, 0);
  }

  #adobeOf(data: Uint8Array): Uint8Array | undefined {
    if (this.#adobe || !hasText(data, 0, 'Adobe') || data.length < ADOBE_BYTES) return undefined;
    this.#adobe = true;
    return data.subarray(0, ADOBE_BYTES);
  }

  /** Pieces are numbered from 1 and in order (ICC.1 B.4). */
  #profileOf(data: Uint8Array): Uint8Array | undefined {
    if (!hasText(data, 0, ICC) || data.length < ICC.length + 2) return undefined;
    const [number, count] = [u8(data, ICC.length), u8(data, ICC.length + 1)];
    const body = data.subarray(ICC.length + 2);
    if (this.#profile === undefined) {
      const size = number === 1 && count > 0 ? profileSize(body) : undefined;
      if (size === undefined) return undefined;
      this.#profile = { next: 1, count, left: size };
    }
    const profile = this.#profile;
    if (number !== profile.next || number > profile.count || count !== profile.count) return undefined;
    const bytes = Math.min(body.length, profile.left);
    if (bytes === 0) return undefined;
    profile.next += 1;
    profile.left -= bytes;
    return data.subarray(0, ICC.length + 2 + bytes);
  }
}

/** Cuts a segment that codes the picture to the bytes that it can use (ITU-T T.81 B.2). */
function codedBytes(code: number, data: Uint8Array): number {
  if (code === 0xda) return 4 + 2 * Math.min(MAX_COMPONENTS, data[0] ?? 0);
  if (code === 0xdb) return tables(data, (head) => (head >> 4 === 0 ? 64 : 128), 0);
  if (code === 0xc4) return tables(data, (_head, counts) => counts.reduce((sum, count) => sum + count, 0), 16);
  if (code === 0xcc) return data.length - (data.length % 2);
  if (code === 0xdc || code === 0xdd) return 2;
  if (code === 0xdf) return 1;
  return 6 + 3 * Math.min(MAX_COMPONENTS, data[5] ?? 0);
}

/** Reads tables one after the other: a byte with class and id, counts, values. Decoders accept four tables of each class. */
function tables(data: Uint8Array, valuesOf: (head: number, counts: Uint8Array) => number, counted: number): number {
  let at = 0;
  while (at < data.length) {
    const head = u8(data, at);
    const end = at + 1 + counted + valuesOf(head, data.subarray(at + 1, at + 1 + counted));
    if ((head & 0x0f) > 3 || head >> 4 > 1 || end > data.length || end - at > 1 + counted + MAX_CODES) break;
    at = end;
  }
  return at;
}
