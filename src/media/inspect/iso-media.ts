import { hasText, latin1, u16be, u32be, u64be, u8 } from '../byte-order.ts';
import { decodeUtf8OrLatin1 } from '../embedded-texts.ts';
import { addExifTexts } from '../exif.ts';
import { keepLarger, MAX_ELEMENTS, type Findings, type FormatParser } from './findings.ts';
import { itemPlaces, itemType, type ItemPlace } from '../heif-items.ts';
import { skip, take, type Pull, type ReadSource } from '../pull-reader.ts';

/** Most bytes of image properties and item lists, which are read whole. Real ones have a few hundred bytes. */
const MAX_ITEM_LIST_BYTES = 1024 * 1024;
const MAX_ITEMS = 4096;

interface Movie {
  timescale: number;
  duration: number;
}

interface Images {
  primary: number;
  properties: Map<number, [width: number, height: number]>;
  /** Item id → the index of its size property. */
  sizes: Map<number, number[]>;
  /** Items that are EXIF or a document such as XMP. */
  texts: Map<number, string>;
  places: ItemPlace[];
}

interface Walk {
  found: Findings;
  source: ReadSource;
  movie: Movie;
  images: Images;
  boxes: number;
}

type OnBox = (type: string, body: number) => Pull;

/**
 * Walks the boxes between here and `end` (ISO/IEC 14496-12 4.2). A box that exceeds its container is cut to it; one that is
 * smaller than its header ends the walk. The grammar below fixes which boxes are entered, so the depth is bounded.
 */
function* eachBox(walk: Walk, end: number, onBox: OnBox): Pull {
  while (walk.source.position + 8 <= end && walk.boxes++ < MAX_ELEMENTS) {
    const head = yield* take(8);
    const type = latin1(head, 4, 4);
    const size = u32be(head, 0);
    const full = size === 1 ? u64be(yield* take(8), 0) : size;
    const start = walk.source.position - (size === 1 ? 16 : 8);
    if (size !== 0 && start + full < walk.source.position) return;
    const bodyEnd = Math.min(end, size === 0 ? Number.POSITIVE_INFINITY : start + full);
    yield* onBox(type, bodyEnd);
    if (!Number.isFinite(bodyEnd)) return;
    if (bodyEnd > walk.source.position) yield* skip(bodyEnd - walk.source.position);
  }
  if (Number.isFinite(end) && end > walk.source.position) yield* skip(end - walk.source.position);
}

function* takeBody(walk: Walk, end: number, most: number): Pull<Uint8Array> {
  return yield* take(Math.max(0, Math.min(end - walk.source.position, most)));
}

/** `trak`: the handler says what kind of track it is; `tkhd` has its size in 16.16 fixed point. */
function* readTrack(walk: Walk, end: number): Pull {
  let width = 0;
  let height = 0;
  let handler = '';
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type === 'tkhd') {
      const body = yield* takeBody(walk, bodyEnd, 96);
      const at = u8(body, 0) === 1 ? 88 : 76;
      width = Math.floor(u32be(body, at) / 65536);
      height = Math.floor(u32be(body, at + 4) / 65536);
    } else if (type === 'mdia') {
      yield* eachBox(walk, bodyEnd, function* (inner, innerEnd) {
        if (inner === 'hdlr') handler = latin1(yield* takeBody(walk, innerEnd, 12), 8, 4);
      });
    }
  });
  if (handler === 'soun') walk.found.tracks.add('audio');
  if (handler === 'vide') walk.found.tracks.add('video');
  if ((handler === 'vide' || handler === 'pict') && walk.found.width === null && width > 0 && height > 0) {
    walk.found.width = width;
    walk.found.height = height;
  }
}

/**
 * `meta` with `ilst`: texts under four-letter codes (`©cmt`), or under names from `keys`. ComfyUI writes the generation data of
 * videos there.
 */
function* readTags(walk: Walk, end: number): Pull {
  const { texts } = walk.found;
  let names: string[] = [];
  yield* take(4);
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type === 'keys') names = keyNames(yield* takeBody(walk, bodyEnd, MAX_ITEM_LIST_BYTES));
    if (type !== 'ilst') return;
    yield* eachBox(walk, bodyEnd, function* (item, itemEnd) {
      const number = u32be(Buffer.from(item, 'latin1'), 0);
      const name = item === '\xa9cmt' ? 'comment' : names[number - 1];
      if (name === undefined) return;
      yield* eachBox(walk, itemEnd, function* (data, dataEnd) {
        const bytes = dataEnd - walk.source.position;
        if (data !== 'data' || !texts.accepts(name, bytes)) return;
        // The text follows a type and a language.
        texts.add(name, decodeUtf8OrLatin1((yield* take(bytes)).subarray(8)));
      });
    });
  });
}

function keyNames(body: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = 8; at + 8 <= body.length && names.length < MAX_ITEMS;) {
    const size = u32be(body, at);
    if (size < 8) break;
    names.push(decodeUtf8OrLatin1(body.subarray(at + 8, at + size)));
    at += size;
  }
  return names;
}

function* readMovie(walk: Walk, end: number): Pull {
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type === 'trak') yield* readTrack(walk, bodyEnd);
    if (type === 'meta') yield* readTags(walk, bodyEnd);
    if (type === 'udta') {
      yield* eachBox(walk, bodyEnd, function* (inner, innerEnd) {
        if (inner === 'meta') yield* readTags(walk, innerEnd);
      });
    }
    if (type === 'mvhd') {
      const body = yield* takeBody(walk, bodyEnd, 32);
      const wide = u8(body, 0) === 1;
      walk.movie.timescale = u32be(body, wide ? 20 : 12);
      const duration = wide ? u64be(body, 24) : u32be(body, 16);
      // All ones: the duration is unknown (8.2.2.3).
      if (duration < (wide ? 2 ** 63 : 0xffffffff)) walk.movie.duration = duration;
    }
    if (type === 'mvex') {
      yield* eachBox(walk, bodyEnd, function* (inner, innerEnd) {
        if (inner !== 'mehd') return;
        const body = yield* takeBody(walk, innerEnd, 12);
        const duration = u8(body, 0) === 1 ? u64be(body, 4) : u32be(body, 4);
        if (!(walk.movie.duration > 0) && duration > 0) walk.movie.duration = duration;
      });
    }
  });
  const { duration, timescale } = walk.movie;
  if (duration > 0 && timescale > 0) walk.found.durationMs = (duration / timescale) * 1000;
}

/** `ipma`: which properties belong to which item (ISO/IEC 23008-12 9.3.1). */
function readAssociations(body: Uint8Array, images: Images): void {
  const wideIds = u8(body, 0) > 0;
  const wideIndices = (u8(body, 3) & 1) === 1;
  const count = Math.min(u32be(body, 4), MAX_ITEMS);
  let at = 8;
  for (let i = 0; i < count && at < body.length; i++) {
    const item = wideIds ? u32be(body, at) : u16be(body, at);
    at += wideIds ? 4 : 2;
    const properties = u8(body, at++);
    const indices: number[] = [];
    for (let j = 0; j < properties; j++) {
      indices.push(wideIndices ? u16be(body, at) & 0x7fff : u8(body, at) & 0x7f);
      at += wideIndices ? 2 : 1;
    }
    images.sizes.set(item, indices);
  }
}

function* readImages(walk: Walk, end: number): Pull {
  const { images } = walk;
  yield* take(4); // `meta` is a full box: version and flags
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type === 'pitm') {
      const body = yield* takeBody(walk, bodyEnd, 8);
      images.primary = u8(body, 0) === 0 ? u16be(body, 4) : u32be(body, 4);
    } else if (type === 'iloc') {
      images.places = itemPlaces(yield* takeBody(walk, bodyEnd, MAX_ITEM_LIST_BYTES));
    } else if (type === 'iinf') {
      // Version, flags, and the number of entries.
      yield* skip(u8(yield* take(4), 0) === 0 ? 2 : 4);
      yield* eachBox(walk, bodyEnd, function* (inner, innerEnd) {
        const entry = inner === 'infe' ? itemType(yield* takeBody(walk, innerEnd, 64)) : undefined;
        if (entry && (entry.type === 'Exif' || entry.type === 'mime')) images.texts.set(entry.item, entry.type);
      });
    } else if (type === 'iprp') {
      yield* eachBox(walk, bodyEnd, function* (inner, innerEnd) {
        if (inner === 'ipma') return readAssociations(yield* takeBody(walk, innerEnd, MAX_ITEM_LIST_BYTES), images);
        if (inner !== 'ipco') return;
        let index = 0;
        yield* eachBox(walk, innerEnd, function* (property, propertyEnd) {
          index++;
          if (property !== 'ispe' || images.properties.size >= MAX_ITEMS) return;
          const body = yield* takeBody(walk, propertyEnd, 12);
          images.properties.set(index, [u32be(body, 4), u32be(body, 8)]);
        });
      });
    }
  });
  const own = images.sizes.get(images.primary)?.find((index) => images.properties.has(index));
  const size = own === undefined ? undefined : images.properties.get(own);
  if (size !== undefined) [walk.found.width, walk.found.height] = size;
  else for (const [width, height] of images.properties.values()) keepLarger(walk.found, width, height);
}

/** Reads EXIF and XMP items. They are stored among the pixels; those before the current position are lost. */
function* readTextItems({ found: { texts }, source, images }: Walk): Pull {
  const places = images.places.filter(({ item }) => images.texts.has(item));
  for (const { item, offset, bytes } of places.toSorted((a, b) => a.offset - b.offset)) {
    if (offset < source.position || !texts.accepts(images.texts.get(item) ?? '', bytes)) continue;
    yield* skip(offset - source.position);
    const body = yield* take(bytes);
    // The offset of the TIFF header after these four bytes.
    if (images.texts.get(item) === 'Exif') addExifTexts(texts, body.subarray(4 + u32be(body, 0)));
    else texts.add('XMP', decodeUtf8OrLatin1(body));
  }
}

/** The box of a C2PA manifest (C2PA 2.1, A.5.1). */
const C2PA_UUID = '\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81';

function* readUuid(walk: Walk, end: number): Pull {
  walk.found.texts.c2pa ||= hasText(yield* takeBody(walk, end, 16), 0, C2PA_UUID);
}

function startWalk(found: Findings, source: ReadSource): Walk {
  const images: Images = {
    primary: Number.NaN,
    properties: new Map(),
    sizes: new Map(),
    texts: new Map(),
    places: [],
  };
  return { found, source, movie: { timescale: 0, duration: 0 }, images, boxes: 0 };
}

/** MP4, QuickTime, 3GPP: the `moov` box, before or after the media data, which is skipped. */
export const parseMovie: FormatParser = function* (found, source) {
  const walk = startWalk(found, source);
  yield* eachBox(walk, Number.POSITIVE_INFINITY, function* (type, end) {
    if (type === 'uuid') yield* readUuid(walk, end);
    if (type !== 'moov') return;
    yield* readMovie(walk, end);
    walk.boxes = MAX_ELEMENTS; // there is one `moov`
  });
};

/** HEIF and AVIF: the size of the primary item, else of the largest. An image sequence has a track instead. */
export const parseHeif: FormatParser = function* (found, source) {
  const walk = startWalk(found, source);
  yield* eachBox(walk, Number.POSITIVE_INFINITY, function* (type, end) {
    if (type === 'uuid') yield* readUuid(walk, end);
    else if (type === 'meta') yield* readImages(walk, end);
    else if (type === 'moov') yield* readMovie(walk, end);
    if (found.width === null) return;
    if (type === 'meta') yield* readTextItems(walk);
    walk.boxes = MAX_ELEMENTS;
  });
  found.durationMs = null; // pictures have no duration, even animated ones, as in other formats
};

/** JPEG 2000 (ISO/IEC 15444-1 I.5.3): `ihdr` in `jp2h`. */
export const parseJp2: FormatParser = function* (found, source) {
  const walk = startWalk(found, source);
  yield* eachBox(walk, Number.POSITIVE_INFINITY, function* (type, end) {
    if (type !== 'jp2h') return;
    yield* eachBox(walk, end, function* (inner, innerEnd) {
      if (inner !== 'ihdr') return;
      const body = yield* takeBody(walk, innerEnd, 8);
      found.height = u32be(body, 0);
      found.width = u32be(body, 4);
    });
    walk.boxes = MAX_ELEMENTS;
  });
};
