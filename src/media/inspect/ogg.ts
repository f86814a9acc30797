import { hasText, u16be, u16le, u24be, u32be, u32le, u8 } from '../byte-order.ts';
import type { Findings, FormatParser } from '../parsing/findings.ts';
import { skip, take, type Pull } from '../pull-reader.ts';
import { addVorbisComments } from '../vorbis-comments.ts';

/** A page has about 4 KB, so this is a file of 8 GB. */
const MAX_PAGES = 2_000_000;
const MAX_STREAMS = 16;
/** A page of 64 KB is hardly longer, even of speech. */
const LONG_PAGE_MS = 120_000;

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
  const aspect = u24be(packet, 30) / u24be(packet, 33);
  if (aspect > 0.1 && aspect < 10) found.shown = [Math.round(found.width * aspect), found.height];
  const fps = u32be(packet, 22) / u32be(packet, 26);
  const shift = ((u8(packet, 40) & 3) << 3) | (u8(packet, 41) >> 5);
  return (low, high) => {
    const granule = high * 2 ** 32 + low;
    const key = Math.floor(granule / 2 ** shift);
    return ((key + (granule - key * 2 ** shift)) / fps) * 1000;
  };
}

/**
 * What the first packet begins with, what the second does, and where the comments begin in that (RFC 5334, 7845; FLAC's Ogg
 * mapping).
 */
const COMMENT_PACKETS: readonly (readonly [first: string, second: string, start: number])[] = [
  ['\x01vorbis', '\x03vorbis', 7],
  ['\x80theora', '\x81theora', 7],
  ['OpusHead', 'OpusTags', 8],
  ['\x7fFLAC', '', 4],
  ['Speex   ', '', 0],
];

/** The second packet of a stream, which may go on over many pages. */
interface CommentPacket {
  pieces: Uint8Array[];
  second: string;
  start: number;
}

/** Most bytes without a page, as in a recording of a broadcast with gaps. */
const MAX_STRAY_BYTES = 1024 * 1024;

/** Takes the 27 bytes of the next page's header, over bytes that belong to no page. */
function* nextPage(): Pull<Uint8Array | undefined> {
  let page = (yield* take(27)).slice();
  for (let stray = 0; stray <= MAX_STRAY_BYTES;) {
    if (hasText(page, 0, 'OggS')) return page;
    let next = page.indexOf(CAPITAL_O, 1);
    if (next < 0) next = page.length;
    stray += next;
    page = Buffer.concat([page.subarray(next), yield* take(next)]);
  }
  return undefined;
}
const CAPITAL_O = 0x4f;

/** Ogg: the comments, and the last granule position of the stream that ends last. Pages of media are skipped. */
export const parseOgg: FormatParser = function* (found) {
  const clocks = new Map<number, Clock>();
  const comments = new Map<number, CommentPacket>();
  const beginnings = new Map<number, number>();
  // Of all packets that have not ended.
  let pending = 0;
  for (let i = 0; i < MAX_PAGES; i++) {
    const page = yield* nextPage();
    if (!page) return;
    const begins = (u8(page, 5) & 2) !== 0;
    const [low, high, serial] = [u32le(page, 6), u32le(page, 10), u32le(page, 14)];
    const laces = (yield* take(u8(page, 26))).slice();
    let length = laces.reduce((sum, lace) => sum + lace, 0);
    const clock = clocks.get(serial);
    // All ones: no packet ends on this page.
    if (clock !== undefined && !(low === 0xffffffff && high === 0xffffffff)) {
      const end = clock(low, high);
      // A recording that was cut out of a longer one goes on counting.
      const begin = beginnings.get(serial) ?? (end > LONG_PAGE_MS ? end : 0);
      if (end > 0) beginnings.set(serial, begin);
      if (end - begin > (found.durationMs ?? 0)) found.durationMs = end - begin;
    }
    if (begins && clock === undefined && clocks.size < MAX_STREAMS) {
      const packet = yield* take(Math.min(length, 64));
      length -= packet.length;
      const started = clockOf(packet, found);
      if (started !== undefined) clocks.set(serial, started);
      const kind = COMMENT_PACKETS.find(([first]) => hasText(packet, 0, first));
      if (kind) comments.set(serial, { pieces: [], second: kind[1], start: kind[2] });
      yield* skip(length);
      continue;
    }
    const packet = comments.get(serial);
    if (packet) {
      // A packet ends with the first lace below 255.
      const last = laces.findIndex((lace) => lace < 255);
      const bytes = laces.subarray(0, last < 0 ? laces.length : last + 1).reduce((sum, lace) => sum + lace, 0);
      if (found.texts.accepts('the comments', pending + bytes)) {
        if (bytes > 0) packet.pieces.push((yield* take(bytes)).slice());
        pending += bytes;
        length -= bytes;
        const whole = last < 0 ? undefined : Buffer.concat(packet.pieces);
        if (whole && hasText(whole, 0, packet.second)) addVorbisComments(found.texts, whole.subarray(packet.start));
      } else comments.delete(serial);
      if (last >= 0) comments.delete(serial);
      if (!comments.has(serial)) pending -= packet.pieces.reduce((sum, piece) => sum + piece.length, 0);
    }
    yield* skip(length);
  }
};
