import { hasText, latin1, u16le, u32le } from '../byte-order.ts';
import { decodeUtf8OrLatin1 } from '../embedded-texts.ts';
import { type Presentation, presentationBlock, presentationOf } from '../exif.ts';
import { ByteSource, MalformedFile, type OpenFile } from './byte-source.ts';
import { PROFILE_HEAD_BYTES, profileSize } from './colour-profile.ts';
import type { SourceTypeMark } from './source-type.ts';

/** Chunks that affect how the picture looks. Unknown chunks may occur anywhere and could contain text. */
const KEPT: ReadonlySet<string> = new Set(['VP8 ', 'VP8L', 'ALPH', 'ANIM']);
const EXIF_FLAG = 0x08;
const XMP_FLAG = 0x04;
const PROFILE_FLAG = 0x20;
const ANIMATED_FLAG = 0x02;
const ALPHA_FLAG = 0x10;
const ANIM_BYTES = 6;
/** The header of a picture of either kind. */
const SIMPLE_BYTES = 10;
const MAX_EXIF_BYTES = 1024 * 1024;
/** Most frames and chunks; each takes a few bytes of memory. */
const MAX_CHUNKS = 100_000;

/** A part of the new file: bytes, or a range of the old file. */
type Piece = Uint8Array | { from: number; bytes: number };

/**
 * The container's header has its length and flags for its content, so the file is read twice: first to find what is kept.
 * https://developers.google.com/speed/webp/docs/riff_container
 */
export async function* stripWebp(open: OpenFile, mark: SourceTypeMark): AsyncGenerator<Uint8Array> {
  const first = new ByteSource(await open());
  let pieces: Piece[];
  try {
    pieces = await plan(first, mark);
  } finally {
    await first.close();
  }
  const bytes = pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
  yield Buffer.concat([Buffer.from('RIFF'), le32(bytes + 4), Buffer.from('WEBP')]);
  const file = new ByteSource(await open());
  try {
    for (const piece of pieces) {
      if (piece instanceof Uint8Array) {
        yield piece;
      } else {
        await file.skip(piece.from - file.position);
        yield* file.pass(piece.bytes);
      }
    }
  } finally {
    await file.close();
  }
}

async function plan(file: ByteSource, mark: SourceTypeMark): Promise<Piece[]> {
  const head = await file.take(12);
  if (!hasText(head, 0, 'RIFF') || !hasText(head, 8, 'WEBP')) throw new MalformedFile('it has no WebP signature');
  const end = 8 + u32le(head, 4);
  const seen = new Set<string>();
  const walk: Walk = { file, mark, pieces: [], chunks: 0, exif: undefined, extended: undefined, simple: undefined };
  while (file.position + 8 <= end) await readChunk(walk, end, walk.pieces, seen);
  const { pieces } = walk;
  if (pieces.length === 0) throw new MalformedFile('it holds no picture');
  const exif = walk.extended && presentationBlock(walk.exif ?? {});
  const xmp = mark.xmp();
  const extended = walk.extended ?? (xmp === undefined || !walk.simple ? undefined : extendedHeader(walk.simple));
  if (extended) {
    if (extended !== walk.extended) pieces.unshift(extended);
    const flags = (extended[8] ?? 0) & ~(EXIF_FLAG | XMP_FLAG | (walk.profile === true ? 0 : PROFILE_FLAG));
    extended[8] = flags | (exif ? EXIF_FLAG : 0) | (xmp === undefined ? 0 : XMP_FLAG);
    if (exif) pieces.push(...chunkOf('EXIF', exif));
    if (xmp !== undefined) pieces.push(...chunkOf('XMP ', Buffer.from(xmp)));
  }
  return pieces;
}

/** The `VP8X` chunk of a picture that had none, from the beginning of its data. */
function extendedHeader({ type, start }: { type: string; start: Uint8Array }): Uint8Array {
  const lossless = type === 'VP8L';
  const bits = u32le(start, 1);
  const width = lossless ? bits & 0x3fff : (u16le(start, 6) & 0x3fff) - 1;
  const height = lossless ? (bits >>> 14) & 0x3fff : (u16le(start, 8) & 0x3fff) - 1;
  const alpha = lossless && ((bits >>> 28) & 1) === 1 ? ALPHA_FLAG : 0;
  const sides = [width, height].flatMap((side) => [side & 0xff, (side >> 8) & 0xff, (side >> 16) & 0xff]);
  return Uint8Array.from([...Buffer.from('VP8X'), 10, 0, 0, 0, alpha, 0, 0, 0, ...sides]);
}

interface Walk {
  file: ByteSource;
  pieces: Piece[];
  chunks: number;
  mark: SourceTypeMark;
  exif: Presentation | undefined;
  /** The picture of a file without `VP8X`: its kind, and the first bytes of its data. */
  simple: { type: string; start: Uint8Array } | undefined;
  /** The `VP8X` chunk, which is one of the pieces. Its flags are set at the end. */
  extended: Uint8Array | undefined;
  /** Whether a colour profile is among the pieces. */
  profile?: boolean;
}

async function readChunk(walk: Walk, end: number, pieces: Piece[], seen: Set<string>, inFrame = false): Promise<void> {
  const { file } = walk;
  if (++walk.chunks > MAX_CHUNKS) throw new MalformedFile('it holds too many chunks');
  const head = await file.take(8);
  const type = latin1(head, 0, 4);
  const size = u32le(head, 4);
  const from = file.position;
  if (from + size > end) throw new MalformedFile('it holds a chunk that is larger than the file');
  if (type === 'VP8X' && !inFrame && walk.extended === undefined) {
    if (size !== 10) throw new MalformedFile('its header has a wrong size');
    walk.extended = Uint8Array.from([...head, ...(await file.take(size))]);
    pieces.push(walk.extended);
  } else if (type === 'ANMF' && !inFrame && isAnimated(walk)) {
    // A frame contains chunks after 16 bytes with its position and duration.
    const frame: Piece[] = [await file.take(Math.min(16, size))];
    const seenInFrame = new Set<string>();
    while (file.position + 8 <= from + size) await readChunk(walk, from + size, frame, seenInFrame, true);
    pieces.push(Buffer.concat([Buffer.from('ANMF'), le32(frame.reduce((sum, piece) => sum + lengthOf(piece), 0))]));
    pieces.push(...frame);
  } else if (KEPT.has(type) && isPart(walk, type, seen, inFrame)) {
    if (!walk.extended && size >= SIMPLE_BYTES) walk.simple = { type, start: await file.take(SIMPLE_BYTES) };
    pieces.push(...kept(type, from, type === 'ANIM' ? Math.min(size, ANIM_BYTES) : size));
  } else if (type === 'ICCP' && !inFrame && walk.profile !== true) {
    const profile = profileSize(await file.take(Math.min(size, PROFILE_HEAD_BYTES)));
    walk.profile = profile !== undefined;
    if (profile !== undefined) pieces.push(...kept(type, from, Math.min(size, profile)));
  } else if (type === 'EXIF' && !inFrame && size <= MAX_EXIF_BYTES) {
    walk.exif ??= presentationOf(await file.take(size));
  } else if (type === 'XMP ' && !inFrame && size <= MAX_EXIF_BYTES) {
    walk.mark.readXmp(decodeUtf8OrLatin1(await file.take(size)));
  } else if (type === 'C2PA' && !inFrame) {
    walk.mark.readManifest(await file.take(Math.min(size, MAX_EXIF_BYTES)));
  }
  const paddedEnd = from + size + (size % 2);
  await file.skip(Math.min(paddedEnd, end) - file.position);
}

/** Whether to keep a chunk: a picture or frame has one of each kind. Viewers ignore other chunks of an animation, which could contain anything. */
function isPart(walk: Walk, type: string, seen: Set<string>, inFrame: boolean): boolean {
  const what = type === 'VP8L' ? 'VP8 ' : type;
  if (seen.has(what) || (type === 'ANIM') !== (isAnimated(walk) && !inFrame)) return false;
  seen.add(what);
  return true;
}

function isAnimated({ extended }: Walk): boolean {
  return ((extended?.[8] ?? 0) & ANIMATED_FLAG) !== 0;
}

function kept(type: string, from: number, bytes: number): Piece[] {
  const padding = bytes % 2 === 1 ? [Uint8Array.of(0)] : [];
  return [Buffer.concat([Buffer.from(type, 'latin1'), le32(bytes)]), { from, bytes }, ...padding];
}

const lengthOf = (piece: Piece): number => (piece instanceof Uint8Array ? piece.length : piece.bytes);

function chunkOf(type: string, data: Uint8Array): Piece[] {
  const padding = data.length % 2 === 1 ? [Uint8Array.of(0)] : [];
  return [Buffer.concat([Buffer.from(type, 'latin1'), le32(data.length)]), data, ...padding];
}

function le32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
