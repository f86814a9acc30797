import { deflateSync, gzipSync } from 'node:zlib';
import { be32, bytes, utf8, zeros } from '../bytes.ts';
import { pngChunk } from '../made-images.ts';

export interface Picture {
  width: number;
  height: number;
  channels: 3 | 4;
  pixels: Uint8Array;
}

/** A picture of noise; what has alpha is opaque. */
export function picture(width: number, height: number, channels: 3 | 4): Picture {
  let state = 1;
  const pixels = Uint8Array.from({ length: width * height * channels }, (_value, at) => {
    state = (state * 48_271) % 2_147_483_647;
    return channels === 4 && at % 4 === 3 ? 255 : state >> 8;
  });
  return { width, height, channels, pixels };
}

export interface Hiding {
  place: 'png' | 'rgb';
  gzipped?: boolean;
  /** The length to write instead of the true one, in bits. */
  bits?: number;
}

/** What is hidden, with the signature and the length before it. Bytes are taken for what stands there, gzipped or not. */
export function payload(text: string | Uint8Array, { place, gzipped = false, bits }: Hiding): Uint8Array {
  const body = typeof text === 'string' ? (gzipped ? gzipSync(utf8(text)) : utf8(text)) : text;
  return bytes(`stealth_${place}${gzipped ? 'comp' : 'info'}`, be32(bits ?? body.length * 8), body);
}

/** Pixels that hide so many bytes. */
export function pixelsFor(hidden: Uint8Array, place: Hiding['place']): number {
  return Math.ceil((hidden.length * 8) / (place === 'png' ? 1 : 3));
}

/** Writes the bits into the lowest of alpha, or of red, green and blue, column by column; bits beyond the picture are lost. */
export function hide(
  { width, height, channels, pixels }: Picture,
  hidden: Uint8Array,
  place: Hiding['place'],
): Picture {
  const changed = pixels.slice();
  const each = place === 'png' ? 1 : 3;
  const most = Math.min(hidden.length * 8, width * height * each);
  for (let bit = 0; bit < most; bit += 1) {
    const pixel = Math.floor(bit / each);
    const channel = place === 'png' ? 3 : bit % 3;
    const at = ((pixel % height) * width + Math.floor(pixel / height)) * channels + channel;
    changed[at] = (changed[at]! & 0xfe) | ((hidden[bit >> 3]! >> (7 - (bit & 7))) & 1);
  }
  return { width, height, channels, pixels: changed };
}

/** Filters a row (PNG 3, 9.2). */
function filtered(filter: number, row: Uint8Array, above: Uint8Array, channels: number): Uint8Array {
  return row.map((value, at) => {
    const a = at < channels ? 0 : row[at - channels]!;
    const b = above[at]!;
    const c = at < channels ? 0 : above[at - channels]!;
    if (filter === 4) {
      const distances = [a, b, c].map((each) => Math.abs(a + b - c - each));
      return value - [a, b, c][distances.indexOf(Math.min(...distances))]!;
    }
    return value - [0, a, b, (a + b) >> 1][filter]!;
  });
}

/** The rows with their filters, before they are compressed. Row by row takes the next of `filters`. */
export function filteredRows({ width, height, channels, pixels }: Picture, filters: readonly number[]): Uint8Array {
  const stride = width * channels;
  const rows: Uint8Array[] = [];
  for (let row = 0; row < height; row += 1) {
    const own = pixels.subarray(row * stride, (row + 1) * stride);
    const above = row === 0 ? zeros(stride) : pixels.subarray((row - 1) * stride, row * stride);
    const filter = filters[row % filters.length]!;
    rows.push(bytes(filter, filtered(filter, own, above, channels)));
  }
  return bytes(...rows);
}

export const ALL_FILTERS = [0, 1, 2, 3, 4];

export interface Encoding {
  filters?: readonly number[];
  /** Bytes of a chunk of pixels. */
  idat?: number;
  /** The compressed pixels are cut after so many bytes. */
  cut?: number;
  before?: Uint8Array[];
  after?: Uint8Array[];
}

export function encodePng(made: Picture, encoding: Encoding = {}): Uint8Array {
  const { filters = ALL_FILTERS, idat = 8192, cut, before = [], after = [] } = encoding;
  return pngWith(made, deflateSync(filteredRows(made, filters)).subarray(0, cut), { idat, before, after });
}

/** A PNG of this size whose compressed pixels are these bytes. */
export function pngWith(
  { width, height, channels }: Omit<Picture, 'pixels'>,
  compressed: Uint8Array,
  { idat = 8192, before = [], after = [] }: Encoding = {},
): Uint8Array {
  const head = bytes(be32(width), be32(height), [8, channels === 4 ? 6 : 2, 0, 0, 0]);
  const pieces = Array.from({ length: Math.ceil(compressed.length / idat) }, (_value, index) =>
    pngChunk('IDAT', compressed.subarray(index * idat, (index + 1) * idat)),
  );
  const rest = [...pieces, ...after, pngChunk('IEND', zeros(0))];
  return bytes('\x89PNG\r\n\x1a\n', pngChunk('IHDR', head), ...before, ...rest);
}
