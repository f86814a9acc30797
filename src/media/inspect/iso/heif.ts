import { u16be, u32be, u8 } from '../../byte-order.ts';
import { decodeUtf8OrLatin1 } from '../../embedded-texts.ts';
import { addExifTexts } from '../../exif.ts';
import { itemPlaces, itemType, type ItemPlace } from '../../heif-items.ts';
import { skip, take, type Pull } from '../../pull-reader.ts';
import { keepLarger, type FormatParser } from '../../parsing/findings.ts';
import { cropped, eachBox, MAX_TABLE_BYTES, type Size, startWalk, takeBody, type Walk } from './boxes.ts';
import { noMovie, readMovie, readUuid } from './movie.ts';

const MAX_ITEMS = 4096;

interface Property {
  type: string;
  body: Uint8Array;
}

interface Images {
  primary: number;
  /** By their index. */
  properties: Map<number, Property>;
  /** Item id → the indices of its properties, in the order in which they apply. */
  owned: Map<number, number[]>;
  /** Items that are EXIF or a document such as XMP. */
  texts: Map<number, string>;
  places: ItemPlace[];
}

/** Properties that make the size: as stored, a crop, a turn. */
const SIZING = new Set(['ispe', 'clap', 'irot']);

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
    images.owned.set(item, indices);
  }
}

function* readProperties(walk: Walk, end: number, images: Images): Pull {
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type === 'ipma') return readAssociations(yield* takeBody(walk, bodyEnd, MAX_TABLE_BYTES), images);
    if (type !== 'ipco') return;
    let index = 0;
    yield* eachBox(walk, bodyEnd, function* (property, propertyEnd) {
      index++;
      if (!SIZING.has(property) || images.properties.size >= MAX_ITEMS) return;
      images.properties.set(index, { type: property, body: (yield* takeBody(walk, propertyEnd, 32)).slice() });
    });
  });
}

function* readImages(walk: Walk, end: number, images: Images): Pull {
  yield* take(4); // `meta` is a full box: version and flags
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type === 'pitm') {
      const body = yield* takeBody(walk, bodyEnd, 8);
      images.primary = u8(body, 0) === 0 ? u16be(body, 4) : u32be(body, 4);
    } else if (type === 'iloc') {
      images.places = itemPlaces(yield* takeBody(walk, bodyEnd, MAX_TABLE_BYTES));
    } else if (type === 'iinf') {
      // Version, flags, and the number of entries.
      yield* skip(u8(yield* take(4), 0) === 0 ? 2 : 4);
      yield* eachBox(walk, bodyEnd, function* (inner, innerEnd) {
        const entry = inner === 'infe' ? itemType(yield* takeBody(walk, innerEnd, 64)) : undefined;
        if (entry && (entry.type === 'Exif' || entry.type === 'mime')) images.texts.set(entry.item, entry.type);
      });
    } else if (type === 'iprp') {
      yield* readProperties(walk, bodyEnd, images);
    }
  });
  setSize(walk, images);
}

/** The size of the primary item, cropped and turned as its properties say; else the largest of any. */
function setSize({ found }: Walk, { primary, properties, owned }: Images): void {
  const own = (owned.get(primary) ?? []).map((index) => properties.get(index)).filter((each) => each !== undefined);
  const stored = own.find(({ type }) => type === 'ispe');
  if (!stored) {
    for (const { type, body } of properties.values())
      if (type === 'ispe') keepLarger(found, u32be(body, 4), u32be(body, 8));
    return;
  }
  let shown: Size = [u32be(stored.body, 4), u32be(stored.body, 8)];
  [found.width, found.height] = shown;
  for (const { type, body } of own) {
    if (type === 'clap') shown = cropped(body, shown) ?? shown;
    if (type === 'irot' && (u8(body, 0) & 1) === 1) shown = [shown[1], shown[0]];
  }
  found.shown = shown;
}

/** Reads EXIF and XMP items between here and `end`. They are stored among the pixels; those before are lost. */
function* readTextItems({ found: { texts }, source }: Walk, end: number, images: Images): Pull {
  const places = images.places.filter(({ item }) => images.texts.has(item));
  for (const { item, offset, bytes } of places.toSorted((a, b) => a.offset - b.offset)) {
    if (offset < source.position || offset + bytes > end) continue;
    if (!texts.accepts(images.texts.get(item) ?? '', bytes)) continue;
    yield* skip(offset - source.position);
    const body = yield* take(bytes);
    // The offset of the TIFF header after these four bytes.
    if (images.texts.get(item) === 'Exif') addExifTexts(texts, body.subarray(4 + u32be(body, 0)));
    else texts.add('XMP', decodeUtf8OrLatin1(body));
  }
}

/** HEIF and AVIF: the size of the primary item, else of the largest. An image sequence has a track, and runs as long as that. */
export const parseHeif: FormatParser = function* (found, source) {
  const walk = startWalk(found, source);
  const images: Images = { primary: Number.NaN, properties: new Map(), owned: new Map(), texts: new Map(), places: [] };
  const movie = noMovie();
  yield* eachBox(walk, Number.POSITIVE_INFINITY, function* (type, end) {
    if (type === 'uuid') yield* readUuid(walk, end);
    else if (type === 'meta') {
      yield* readImages(walk, end, images);
      found.sized = found.width !== null;
    } else if (type === 'moov') {
      yield* readMovie(walk, end, movie);
      // The movie may say that it repeats for ever.
      found.durationMs = movie.mediaMs > 0 ? movie.mediaMs : null;
    } else if (type !== 'ftyp') yield* readTextItems(walk, end, images);
  });
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
  });
};
