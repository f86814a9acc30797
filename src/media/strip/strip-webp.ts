import { hasText, latin1, u32le } from '../byte-order.ts';
import { exifOrientation, orientationOnly } from '../exif.ts';
import { ByteSource, MalformedFile } from './byte-source.ts';
import type { OpenFile } from './strip-metadata.ts';

/** What decides how the picture looks; unknown chunks, which may stand anywhere, could hold words. */
const KEPT: ReadonlySet<string> = new Set(['VP8 ', 'VP8L', 'ALPH', 'ANIM', 'ICCP']);
const EXIF_FLAG = 0x08;
const XMP_FLAG = 0x04;
const MAX_EXIF_BYTES = 1024 * 1024;
/** Frames and chunks; each costs a few bytes of memory. */
const MAX_CHUNKS = 100_000;

/** A piece of the new file: bytes, or a part of the old one. */
type Piece = Uint8Array | { from: number; bytes: number };

/**
 * The container says at its start how long it is, and in a flag what it holds, so it is read twice: once to see what
 * stays. https://developers.google.com/speed/webp/docs/riff_container
 */
export async function* stripWebp(open: OpenFile): AsyncGenerator<Uint8Array> {
  const first = new ByteSource(await open());
  let pieces: Piece[];
  try {
    pieces = await plan(first);
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

async function plan(file: ByteSource): Promise<Piece[]> {
  const head = await file.take(12);
  if (!hasText(head, 0, 'RIFF') || !hasText(head, 8, 'WEBP')) throw new MalformedFile('it has no WebP signature');
  const end = 8 + u32le(head, 4);
  const walk: Walk = { file, pieces: [], chunks: 0, orientation: undefined, extended: undefined };
  while (file.position + 8 <= end) await readChunk(walk, end, walk.pieces);
  const { pieces, extended, orientation } = walk;
  const turned = extended !== undefined && orientation !== undefined && orientation !== 1;
  if (extended) {
    const flags = (extended[8] ?? 0) & ~(EXIF_FLAG | XMP_FLAG);
    extended[8] = turned ? flags | EXIF_FLAG : flags;
  }
  if (turned) pieces.push(...chunkOf('EXIF', orientationOnly(orientation)));
  if (pieces.length === 0) throw new MalformedFile('it holds no picture');
  return pieces;
}

interface Walk {
  file: ByteSource;
  pieces: Piece[];
  chunks: number;
  orientation: number | undefined;
  /** The `VP8X` chunk, which is among the pieces; its flags are set at last. */
  extended: Uint8Array | undefined;
}

async function readChunk(walk: Walk, end: number, pieces: Piece[], inFrame = false): Promise<void> {
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
  } else if (type === 'ANMF' && !inFrame) {
    // A frame holds chunks of its own behind 16 bytes of where and how long.
    const frame: Piece[] = [await file.take(Math.min(16, size))];
    while (file.position + 8 <= from + size) await readChunk(walk, from + size, frame, true);
    pieces.push(Buffer.concat([Buffer.from('ANMF'), le32(frame.reduce((sum, piece) => sum + lengthOf(piece), 0))]));
    pieces.push(...frame);
  } else if (KEPT.has(type)) {
    pieces.push(head, { from, bytes: size });
    if (size % 2 === 1) pieces.push(Uint8Array.of(0));
  } else if (type === 'EXIF' && !inFrame && size <= MAX_EXIF_BYTES) {
    walk.orientation ??= exifOrientation(await file.take(size));
  }
  const paddedEnd = from + size + (size % 2);
  await file.skip(Math.min(paddedEnd, end) - file.position);
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
