import { latin1, u8 } from '../byte-order.ts';
import { decodeUtf8OrLatin1 } from '../embedded-texts.ts';
import { type ByteSource, MalformedFile } from './byte-source.ts';
import type { SourceTypeMark } from './source-type.ts';

/** Application extensions that hold the loop count, in one block of three bytes that begins with 1. */
const KEPT_APPLICATIONS: ReadonlySet<string> = new Set(['NETSCAPE2.0', 'ANIMEXTS1.0']);

const MAX_XMP_BYTES = 1024 * 1024;

/**
 * Keeps the meaningful part of each block (GIF89a). Leaves out comments, plain text and application extensions other than
 * the loop count. Of XMP it keeps the digital source type, at the end.
 */
export async function* stripGif(file: ByteSource, mark: SourceTypeMark): AsyncGenerator<Uint8Array> {
  const head = await file.take(13);
  if (!/^GIF8[79]a$/.test(latin1(head, 0, 6))) throw new MalformedFile('it has no GIF signature');
  yield head;
  yield* file.pass(colours(u8(head, 10)));
  let looped = false;
  for (;;) {
    const kind = await file.take(1);
    if (kind[0] === 0x3b) {
      const xmp = mark.xmp();
      // GIF87a has no extensions.
      if (xmp !== undefined && head[4] === 0x39) yield xmpExtension(xmp);
      yield kind;
      return;
    }
    if (kind[0] === 0x2c) {
      const descriptor = await file.take(9);
      yield kind;
      yield descriptor;
      yield* file.pass(colours(u8(descriptor, 8)) + 1);
      yield* subBlocks(file);
    } else if (kind[0] === 0x21) {
      const label = await file.take(1);
      const blocks = await firstBlocks(file, mark);
      const extension = extensionOf(u8(label, 0), blocks);
      if (extension && !(looped && label[0] === 0xff)) yield extension;
      looped ||= extension !== undefined && label[0] === 0xff;
    } else {
      throw new MalformedFile('it holds a block that is none');
    }
  }
}

/** Bytes of the colour table that the flags declare. */
function colours(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/** Reads the first two blocks of an extension and skips the others: extensions that are kept do not use them. XMP is read whole. */
async function firstBlocks(file: ByteSource, mark: SourceTypeMark): Promise<Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  const xmp: Uint8Array[] = [];
  for (let bytes = 0; ;) {
    const length = u8(await file.take(1), 0);
    const block = await file.take(length);
    if (block.length === 0) break;
    if (blocks.length < 2) blocks.push(block);
    bytes += block.length;
    // XMP stands there without lengths, so that some of its characters are taken for them.
    if (blocks.length > 1 && latin1(blocks[0] ?? block, 0, 11) === XMP_APPLICATION && bytes < MAX_XMP_BYTES)
      xmp.push(Uint8Array.of(length), block);
  }
  if (xmp.length > 0) mark.readXmp(decodeUtf8OrLatin1(Buffer.concat(xmp)));
  return blocks;
}
const XMP_APPLICATION = 'XMP DataXMP';

/** XMP as an application extension, with the trailer that ends it for readers who take its characters for lengths (XMP 3, 1.1.2). */
function xmpExtension(xmp: string): Uint8Array {
  const trailer = [1, ...Array.from({ length: 256 }, (_value, index) => 255 - index), 0];
  return Buffer.concat([
    Uint8Array.of(0x21, 0xff, 11),
    Buffer.from(`${XMP_APPLICATION}${xmp}`),
    Uint8Array.from(trailer),
  ]);
}

/** The part of an extension to keep: how a frame is shown, or how often the animation repeats. */
function extensionOf(label: number, [first, second]: readonly Uint8Array[]): Uint8Array | undefined {
  if (label === 0xf9 && first && first.length >= 4) return Uint8Array.of(0x21, label, 4, ...first.subarray(0, 4), 0);
  if (label !== 0xff || !first || first.length !== 11 || !KEPT_APPLICATIONS.has(latin1(first, 0, 11))) return undefined;
  if (!second || second.length < 3 || second[0] !== 1) return undefined;
  return Uint8Array.of(0x21, label, 11, ...first, 3, ...second.subarray(0, 3), 0);
}

async function* subBlocks(file: ByteSource): AsyncGenerator<Uint8Array> {
  for (let bytes = 1; bytes > 0;) {
    const length = await file.take(1);
    bytes = u8(length, 0);
    yield Uint8Array.from([...length, ...(await file.take(bytes))]);
  }
}
