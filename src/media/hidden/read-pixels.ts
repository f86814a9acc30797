import { createInflate, gunzipSync } from 'node:zlib';
import { decodeUtf8OrLatin1 } from '../embedded-texts.ts';
import type { HiddenPixels } from './probe.ts';
import { SIGNATURE_BYTES, SIGNATURES } from './signature.ts';
import { unfilter } from './unfilter.ts';

const MAX_TEXT_BYTES = 1024 * 1024;
const HEAD_BITS = (SIGNATURE_BYTES + 4) * 8;
const MAX_BITS = HEAD_BITS + MAX_TEXT_BYTES * 8;

/**
 * Reads the text that a picture hides in its lowest bits; undefined when there is none. It keeps four bits of a pixel, and of no
 * more pixels than the longest text takes, whatever the picture unpacks to. Takes long: call it in a worker.
 * @throws Error when the signature stands there, and no text after it
 */
export async function readPixels(pixels: HiddenPixels): Promise<string | undefined> {
  const lowest = await lowestBits(pixels).catch((error: unknown) => {
    if (pixels.certain) throw error;
    return undefined;
  });
  if (!lowest) return undefined;
  const inAlpha: Bits = { length: lowest.length, at: (bit) => ((lowest[bit] ?? 0) >> 3) & 1 };
  const inColours: Bits = {
    length: lowest.length * 3,
    at: (bit) => ((lowest[Math.floor(bit / 3)] ?? 0) >> (bit % 3)) & 1,
  };
  for (const bits of pixels.channels === 4 ? [inAlpha, inColours] : [inColours]) {
    const text = readText(bits);
    if (text !== undefined) return text;
  }
  return undefined;
}

interface Bits {
  length: number;
  at(bit: number): number;
}

/** The lowest bits of red, green, blue and alpha, from the lowest up, of the first columns' pixels, column by column. */
async function lowestBits({ compressed, width, height, channels }: HiddenPixels): Promise<Uint8Array> {
  const rows = Math.min(height, MAX_BITS);
  const columns = Math.min(width, Math.ceil(MAX_BITS / rows));
  const lowest = new Uint8Array(rows * columns);
  const rowBytes = width * channels;
  let pixels = new Uint8Array(columns * channels);
  let above = new Uint8Array(columns * channels);
  let row = 0;
  let filter = 0;
  let at = -1;
  const inflate = createInflate({ chunkSize: 256 * 1024 });
  inflate.end(compressed);
  for await (const chunk of inflate as AsyncIterable<Uint8Array>) {
    for (let from = 0; from < chunk.length && row < rows;) {
      if (at < 0) {
        filter = chunk[from] ?? 0;
        from += 1;
        at = 0;
      }
      const count = Math.min(rowBytes - at, chunk.length - from);
      if (at < pixels.length) pixels.set(chunk.subarray(from, from + Math.min(count, pixels.length - at)), at);
      at += count;
      from += count;
      if (at < rowBytes) continue;
      unfilter(filter, pixels, above, channels);
      for (let column = 0; column < columns; column += 1) {
        let bits = 0;
        for (let channel = 0; channel < channels; channel += 1)
          bits |= ((pixels[column * channels + channel] ?? 0) & 1) << channel;
        lowest[column * rows + row] = bits;
      }
      [pixels, above] = [above, pixels];
      row += 1;
      at = -1;
    }
    if (row === rows) return lowest;
  }
  throw new Error('the pixels end too early');
}

function readText(bits: Bits): string | undefined {
  const bytes = (from: number, count: number) =>
    Uint8Array.from({ length: count }, (_value, index) => {
      let byte = 0;
      for (let at = 0; at < 8; at += 1) byte = byte * 2 + bits.at((from + index) * 8 + at);
      return byte;
    });
  const signature = Buffer.from(bytes(0, SIGNATURE_BYTES)).toString('latin1');
  if (!(SIGNATURES as readonly string[]).includes(signature)) return undefined;
  const length = Buffer.from(bytes(SIGNATURE_BYTES, 4)).readUInt32BE();
  if (length > MAX_TEXT_BYTES * 8) throw new Error('it is too long');
  if (length > bits.length - HEAD_BITS) throw new Error('it ends in the middle');
  const body = bytes(SIGNATURE_BYTES + 4, Math.floor(length / 8));
  return decodeUtf8OrLatin1(signature.endsWith('comp') ? gunzipSync(body, { maxOutputLength: MAX_TEXT_BYTES }) : body);
}
