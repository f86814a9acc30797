import { hasText, u16be, u16le, u24be, u32be, u32le, u8 } from '../byte-order.ts';
import type { Findings, FormatParser } from './findings.ts';
import { skip, take } from '../pull-reader.ts';

/** A page has about 4 KB, so this is a file of 8 GB. */
const MAX_PAGES = 2_000_000;
const MAX_STREAMS = 16;

/** Converts a granule position to milliseconds. */
type Clock = (low: number, high: number) => number;

/** Reads the identification header at the start of a logical stream (RFC 3533, 5334, 7845; Vorbis and Theora specs). */
function clockOf(packet: Uint8Array, found: Findings): Clock | undefined {
  const bySamples =
    (rate: number, preSkip = 0): Clock =>
    (low, high) =>
      ((high * 2 ** 32 + low - preSkip) / rate) * 1000;
  if (hasText(packet, 0, 'OpusHead')) return bySamples(48_000, u16le(packet, 10));
  if (hasText(packet, 0, '\x01vorbis')) return bySamples(u32le(packet, 12));
  if (hasText(packet, 0, 'Speex   ')) return bySamples(u32le(packet, 36));
  if (hasText(packet, 0, '\x7fFLAC')) return bySamples((u16be(packet, 27) << 4) | (u8(packet, 29) >> 4));
  if (!hasText(packet, 0, '\x80theora')) return undefined;
  found.width = u24be(packet, 14);
  found.height = u24be(packet, 17);
  const fps = u32be(packet, 22) / u32be(packet, 26);
  const shift = ((u8(packet, 40) & 3) << 3) | (u8(packet, 41) >> 5);
  return (low, high) => {
    const granule = high * 2 ** 32 + low;
    const key = Math.floor(granule / 2 ** shift);
    return ((key + (granule - key * 2 ** shift)) / fps) * 1000;
  };
}

/** Ogg: the last granule position of the stream that ends last. Page bodies are skipped. */
export const parseOgg: FormatParser = function* (found) {
  const clocks = new Map<number, Clock>();
  for (let i = 0; i < MAX_PAGES; i++) {
    const page = yield* take(27);
    if (!hasText(page, 0, 'OggS')) return;
    const begins = (u8(page, 5) & 2) !== 0;
    const [low, high, serial] = [u32le(page, 6), u32le(page, 10), u32le(page, 14)];
    let length = 0;
    for (const lace of yield* take(u8(page, 26))) length += lace;
    const clock = clocks.get(serial);
    // All ones: no packet ends on this page.
    if (clock !== undefined && !(low === 0xffffffff && high === 0xffffffff)) {
      const end = clock(low, high);
      if (end > (found.durationMs ?? 0)) found.durationMs = end;
    }
    if (begins && clock === undefined && clocks.size < MAX_STREAMS) {
      const packet = yield* take(Math.min(length, 64));
      length -= packet.length;
      const started = clockOf(packet, found);
      if (started !== undefined) clocks.set(serial, started);
    }
    yield* skip(length);
  }
};
