import { hasText, latin1, u16be, u32be, u64be, u8 } from '../../byte-order.ts';
import type { FormatParser } from '../../parsing/findings.ts';
import { cropped, eachBox, pixelAspect, type Size, startWalk, takeBody, type Walk } from './boxes.ts';
import { type Fragments, noFragments, readFragment, readSegmentIndex, runMs } from './fragments.ts';
import { readTags, readUserData } from './tags.ts';
import { skip, type Pull } from '../../pull-reader.ts';

/** What the boxes of a movie say. */
export interface Movie {
  /** Of the whole movie, edits included. */
  durationMs: number;
  fragments: Fragments;
  /** Of the longest track's media, which an animated picture repeats. */
  mediaMs: number;
  seen: boolean;
}

export function noMovie(): Movie {
  return { durationMs: 0, fragments: noFragments(), mediaMs: 0, seen: false };
}

interface Track {
  id: number;
  handler: string;
  /** In the movie's units, turned but neither cropped nor stretched by writers that leave that to `clap` and `pasp`. */
  shown: Size;
  turned: boolean;
  coded: Size | undefined;
  crop: Uint8Array | undefined;
  aspect: number;
}

/** `tkhd`: the id, the matrix and the size in 16.16 fixed point (8.3.2). */
function readTrackHeader(body: Uint8Array, track: Track): void {
  const wide = u8(body, 0) === 1;
  track.id = u32be(body, wide ? 20 : 12);
  const matrix = wide ? 52 : 40;
  track.shown = [Math.floor(u32be(body, matrix + 36) / 65536), Math.floor(u32be(body, matrix + 40) / 65536)];
  // A quarter turn: x comes from y alone, and y from x.
  const [a, b, c, d] = [0, 4, 12, 16].map((offset) => u32be(body, matrix + offset));
  track.turned = a === 0 && d === 0 && b !== 0 && c !== 0;
}

/** The first entry of `stsd`: the size of the coded pictures, a crop, and the shape of the pixels (12.1.3). */
function* readSampleEntry(walk: Walk, end: number, track: Track): Pull {
  yield* skip(8);
  yield* eachBox(walk, end, function* (_type, entryEnd) {
    if (track.coded || (track.handler !== 'vide' && track.handler !== 'pict')) return;
    const head = yield* takeBody(walk, entryEnd, 78);
    track.coded = [u16be(head, 24), u16be(head, 26)];
    yield* eachBox(walk, entryEnd, function* (type, bodyEnd) {
      if (type === 'clap') track.crop = (yield* takeBody(walk, bodyEnd, 32)).slice();
      if (type === 'pasp') track.aspect = pixelAspect(yield* takeBody(walk, bodyEnd, 8));
    });
  });
}

function* readMedia(walk: Walk, end: number, track: Track, movie: Movie): Pull {
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type === 'mdhd') {
      const body = yield* takeBody(walk, bodyEnd, 32);
      const { scale, duration } = scaleAndDuration(body, u8(body, 0) === 1);
      movie.fragments.scales.set(track.id, scale);
      if (scale > 0 && duration > 0) movie.mediaMs = Math.max(movie.mediaMs, (duration / scale) * 1000);
    } else if (type === 'hdlr') {
      track.handler = latin1(yield* takeBody(walk, bodyEnd, 12), 8, 4);
      // At once: the file may end within this track.
      if (track.handler === 'soun') walk.found.tracks.add('audio');
      if (track.handler === 'vide') walk.found.tracks.add('video');
    } else if (type === 'minf') {
      yield* eachBox(walk, bodyEnd, function* (inner, innerEnd) {
        if (inner !== 'stbl') return;
        yield* eachBox(walk, innerEnd, function* (table, tableEnd) {
          if (table === 'stsd') yield* readSampleEntry(walk, tableEnd, track);
        });
      });
    }
    setSize(walk, track);
  });
}

function* readTrack(walk: Walk, end: number, movie: Movie): Pull {
  const track: Track = {
    id: 0,
    handler: '',
    shown: [0, 0],
    turned: false,
    coded: undefined,
    crop: undefined,
    aspect: 1,
  };
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type === 'tkhd') readTrackHeader(yield* takeBody(walk, bodyEnd, 96), track);
    if (type === 'mdia') yield* readMedia(walk, bodyEnd, track, movie);
  });
  if (walk.found.width !== null) walk.found.sized = true;
}

/** The first track of pictures gives the size. */
function setSize({ found }: Walk, { handler, shown, turned, coded, crop, aspect }: Track): void {
  if (found.sized || (handler !== 'vide' && handler !== 'pict')) return;
  const stored = coded && coded[0] > 0 && coded[1] > 0 ? coded : shown;
  let [width, height] = shown[0] > 0 && shown[1] > 0 ? shown : stored;
  if (coded && width === coded[0] && height === coded[1]) {
    if (crop) [width, height] = cropped(crop, coded) ?? coded;
    if (aspect !== 1) width = Math.round(width * aspect);
  }
  if (!(width > 0 && height > 0)) return;
  [found.width, found.height] = stored;
  found.shown = turned ? [height, width] : [width, height];
}

/** Of `mvhd` and `mdhd`; a duration of only ones is unknown (8.2.2.3). */
function scaleAndDuration(body: Uint8Array, wide: boolean): { scale: number; duration: number } {
  const duration = wide ? u64be(body, 24) : u32be(body, 16);
  return { scale: u32be(body, wide ? 20 : 12), duration: duration < (wide ? 2 ** 63 : 0xffffffff) ? duration : 0 };
}

/** `moov`: its duration, its tracks and its texts. */
export function* readMovie(walk: Walk, end: number, movie: Movie): Pull {
  movie.seen = true;
  let scale = 0;
  const setDuration = (duration: number) => {
    if (!(scale > 0 && duration > 0)) return;
    movie.durationMs = Math.max(movie.durationMs, (duration / scale) * 1000);
    walk.found.durationMs = movie.durationMs;
  };
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type === 'trak') yield* readTrack(walk, bodyEnd, movie);
    if (type === 'meta') yield* readTags(walk, bodyEnd);
    if (type === 'udta') yield* readUserData(walk, bodyEnd);
    if (type === 'mvhd') {
      const body = yield* takeBody(walk, bodyEnd, 32);
      const found = scaleAndDuration(body, u8(body, 0) === 1);
      scale = found.scale;
      setDuration(found.duration);
    }
    if (type === 'mvex') {
      yield* eachBox(walk, bodyEnd, function* (inner, innerEnd) {
        const body = yield* takeBody(walk, innerEnd, 24);
        if (inner === 'mehd') setDuration(u8(body, 0) === 1 ? u64be(body, 4) : u32be(body, 4));
        if (inner === 'trex') movie.fragments.defaults.set(u32be(body, 4), u32be(body, 12));
      });
    }
  });
}

/** The box of a C2PA manifest (C2PA 2.1, A.5.1). */
const C2PA_UUID = '\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81';

export function* readUuid(walk: Walk, end: number): Pull {
  walk.found.texts.c2pa ||= hasText(yield* takeBody(walk, end, 16), 0, C2PA_UUID);
}

/** MP4, QuickTime, 3GPP: `moov`, before or after the media data, which is skipped; and how long its fragments run. */
export const parseMovie: FormatParser = function* (found, source) {
  const walk = startWalk(found, source);
  const movie = noMovie();
  let branded = false;
  found.atEnd = () => {
    // Without brands, nothing but this proves that it is a movie.
    if (!branded && !movie.seen) found.rejected = 'it has no list of tracks';
  };
  yield* eachBox(walk, Number.POSITIVE_INFINITY, function* (type, end) {
    branded ||= type === 'ftyp' || type === 'styp';
    if (type === 'uuid') yield* readUuid(walk, end);
    // There is one `moov`.
    else if (type === 'moov' && !movie.seen) yield* readMovie(walk, end, movie);
    else if (type === 'moof') yield* readFragment(walk, end, movie.fragments);
    else if (type === 'sidx') yield* readSegmentIndex(walk, end, movie.fragments);
    const ms = Math.max(movie.durationMs, runMs(movie.fragments));
    if (ms > 0) found.durationMs = ms;
  });
};
