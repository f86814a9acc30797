import { u32be, u8 } from '../byte-order.ts';
import { decodeUtf8OrLatin1, untilZero } from '../embedded-texts.ts';
import { MAX_ELEMENTS, type FormatParser } from '../parsing/findings.ts';
import { skip, take, type Pull } from '../pull-reader.ts';

// RFC 9559 section 27.1 and RFC 8794 (EBML).
const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const TIMESTAMP_SCALE = 0x2ad7b1;
const DURATION = 0x4489;
const TRACKS = 0x1654ae6b;
const TRACK_ENTRY = 0xae;
const TRACK_TYPE = 0x83;
const VIDEO = 0xe0;
const PIXEL_WIDTH = 0xb0;
const PIXEL_HEIGHT = 0xba;
const DISPLAY_WIDTH = 0x54b0;
const DISPLAY_HEIGHT = 0x54ba;
const DISPLAY_UNIT = 0x54b2;
/** Pixels that are cut off: at the bottom, the top, the left, the right. */
const CROPS = [0x54aa, 0x54bb, 0x54cc, 0x54dd];
const PROJECTION = 0x7670;
const POSE_ROLL = 0x7675;
const CLUSTER = 0x1f43b675;
const TAGS = 0x1254c367;
const TAG = 0x7373;
const SIMPLE_TAG = 0x67c8;
const TAG_NAME = 0x45a3;
const TAG_STRING = 0x4487;

const ENTERED = new Set([SEGMENT, INFO, TRACKS, TRACK_ENTRY, VIDEO, PROJECTION, TAGS, TAG, SIMPLE_TAG]);

/** A variable-size integer: NaN if it is longer than `most` bytes, Infinity if it is the reserved "unknown size". */
function* takeVarint(most: number, keepMarker: boolean): Pull<number> {
  const first = u8(yield* take(1), 0);
  const length = Math.clz32(first) - 23;
  if (length > most) return Number.NaN;
  const mark = 0x80 >> (length - 1);
  let value = keepMarker ? first : first & (mark - 1);
  let ones = (first & (mark - 1)) === mark - 1;
  if (length > 1) {
    for (const byte of yield* take(length - 1)) {
      value = value * 256 + byte;
      ones &&= byte === 0xff;
    }
  }
  return ones && !keepMarker ? Number.POSITIVE_INFINITY : value;
}

function unsigned(body: Uint8Array): number {
  return body.reduce((value, byte) => value * 256 + byte, 0);
}

function float(body: Uint8Array): number {
  const view = new DataView(new ArrayBuffer(8));
  if (body.length === 4) {
    view.setUint32(0, u32be(body, 0));
    return view.getFloat32(0);
  }
  if (body.length !== 8) return Number.NaN;
  view.setUint32(0, u32be(body, 0));
  view.setUint32(4, u32be(body, 4));
  return view.getFloat64(0);
}

const ABOUT_VIDEO = new Set([DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT, ...CROPS]);

/** The size as displayed (RFC 9559 11.1): cropped, stretched, and turned by a quarter. */
function shownSize([width, height]: Size, video: ReadonlyMap<number, number>): Size {
  const [bottom = 0, top = 0, left = 0, right = 0] = CROPS.map((id) => video.get(id) ?? 0);
  // Without a size of its own the display is that of the cropped pixels; in other units than pixels it is only a ratio.
  let across = width - left - right;
  let down = height - top - bottom;
  const [displayWidth = 0, displayHeight = 0] = [video.get(DISPLAY_WIDTH), video.get(DISPLAY_HEIGHT)];
  if (displayWidth > 0 && displayHeight > 0) {
    if ((video.get(DISPLAY_UNIT) ?? 0) === 0) [across, down] = [displayWidth, displayHeight];
    else across = Math.round((down * displayWidth) / displayHeight);
  }
  const turned = Math.abs(Math.abs(video.get(POSE_ROLL) ?? 0) - 90) < 1;
  return turned ? [down, across] : [across, down];
}
type Size = readonly [width: number, height: number];

/**
 * Reads WebM and Matroska in one flat pass. A relevant master element, or one of unknown size, is entered by reading on
 * after its header, so there is no stack of sizes that a file could corrupt. Tags are texts under their names in lower case.
 */
export const parseMatroska: FormatParser = function* (found) {
  let scale = 1_000_000; // nanoseconds, the default
  let duration = Number.NaN;
  let info = false;
  let tracks = false;
  const video = new Map<number, number>();
  let tag: string | undefined;
  let value: string | undefined;
  for (let i = 0; i < MAX_ELEMENTS; i++) {
    const id = yield* takeVarint(4, true);
    const size = yield* takeVarint(8, false);
    if (Number.isNaN(id) || Number.isNaN(size)) return;
    info ||= id === INFO;
    tracks ||= id === TRACKS;
    // Tags may follow the clusters; those of unknown size are a live stream, which has none.
    if (id === CLUSTER && info && tracks && size === Number.POSITIVE_INFINITY) return;
    if (id === SIMPLE_TAG) tag = value = undefined;
    if (ENTERED.has(id) || (id === CLUSTER && size === Number.POSITIVE_INFINITY)) continue;
    if (size === Number.POSITIVE_INFINITY) return;
    if ((id === TAG_NAME || id === TAG_STRING) && found.texts.accepts('a tag', size)) {
      const text = untilZero(decodeUtf8OrLatin1(yield* take(size)));
      // They may stand in any order.
      if (id === TAG_NAME) tag = text.toLowerCase();
      else value = text;
      if (tag !== undefined && value !== undefined) {
        found.texts.add(tag, value);
        tag = value = undefined;
      }
      continue;
    }
    if (size > 8 || size === 0) {
      yield* skip(size);
      continue;
    }
    const body = yield* take(size);
    if (id === TIMESTAMP_SCALE) scale = unsigned(body);
    else if (id === DURATION) duration = float(body);
    else if (id === TRACK_TYPE && unsigned(body) === 1) found.tracks.add('video');
    else if (id === TRACK_TYPE && unsigned(body) === 2) found.tracks.add('audio');
    else if (id === PIXEL_WIDTH) found.width ??= unsigned(body);
    else if (id === PIXEL_HEIGHT) found.height ??= unsigned(body);
    else if (id === POSE_ROLL) video.set(id, float(body));
    else if (ABOUT_VIDEO.has(id) && !video.has(id)) video.set(id, unsigned(body));
    if (found.width !== null && found.height !== null) found.shown = shownSize([found.width, found.height], video);
    if (duration > 0) found.durationMs = (duration * scale) / 1e6;
  }
};
