import { gunzipSync, inflateSync } from 'node:zlib';
import type { HiddenPixels } from './probe.ts';
import { SIGNATURE_BYTES, SIGNATURES } from './signature.ts';
import { unfilter } from './unfilter.ts';

/** Most bytes of a picture's pixels, and of the text. */
const MAX_PIXEL_BYTES = 256 * 1024 * 1024;
const MAX_TEXT_BYTES = 1024 * 1024;

/** Reads the text that a picture hides in its lowest bits; undefined when there is none. Takes long: call it in a worker. */
export function readPixels({ compressed, width, height, channels }: HiddenPixels): string | undefined {
  const stride = 1 + width * channels;
  if (stride * height > MAX_PIXEL_BYTES) return undefined;
  const rows = inflateSync(compressed, { maxOutputLength: stride * height });
  let above = new Uint8Array(stride - 1);
  for (let row = 0; row < height; row += 1) {
    const pixels = rows.subarray(row * stride + 1, (row + 1) * stride);
    unfilter(rows[row * stride] ?? 0, pixels, above, channels);
    above = pixels;
  }
  const value = (pixel: number, channel: number) =>
    rows[(pixel % height) * stride + 1 + Math.floor(pixel / height) * channels + channel] ?? 0;
  const places = channels === 4 ? [alpha(value), colours(value)] : [colours(value)];
  for (const bit of places) {
    const text = readBits(bit, width * height * 3);
    if (text !== undefined) return text;
  }
  return undefined;
}

type Bit = (at: number) => number;
type Value = (pixel: number, channel: number) => number;

const alpha =
  (value: Value): Bit =>
  (at) =>
    value(at, 3) & 1;
const colours =
  (value: Value): Bit =>
  (at) =>
    value(Math.floor(at / 3), at % 3) & 1;

function readBits(bit: Bit, mostBits: number): string | undefined {
  const bytes = (from: number, count: number) =>
    Uint8Array.from({ length: count }, (_value, index) => {
      let byte = 0;
      for (let at = 0; at < 8; at += 1) byte = byte * 2 + bit((from + index) * 8 + at);
      return byte;
    });
  const signature = Buffer.from(bytes(0, SIGNATURE_BYTES)).toString('latin1');
  if (!(SIGNATURES as readonly string[]).includes(signature)) return undefined;
  const bits = Buffer.from(bytes(SIGNATURE_BYTES, 4)).readUInt32BE();
  if (bits > Math.min(mostBits, MAX_TEXT_BYTES * 8)) return undefined;
  const body = bytes(SIGNATURE_BYTES + 4, Math.floor(bits / 8));
  const plain = signature.endsWith('comp') ? gunzipSync(body, { maxOutputLength: MAX_TEXT_BYTES }) : body;
  return new TextDecoder().decode(plain);
}
