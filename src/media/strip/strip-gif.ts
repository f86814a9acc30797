import { latin1, u8 } from '../byte-order.ts';
import { type ByteSource, MalformedFile } from './byte-source.ts';

/** Application extensions that hold the loop count, in one block of three bytes that begins with 1. */
const KEPT_APPLICATIONS: ReadonlySet<string> = new Set(['NETSCAPE2.0', 'ANIMEXTS1.0']);

/**
 * Keeps the meaningful part of each block (GIF89a). Leaves out comments, plain text and application extensions other than
 * the loop count.
 */
export async function* stripGif(file: ByteSource): AsyncGenerator<Uint8Array> {
  const head = await file.take(13);
  if (!/^GIF8[79]a$/.test(latin1(head, 0, 6))) throw new MalformedFile('it has no GIF signature');
  yield head;
  yield* file.pass(colours(u8(head, 10)));
  let looped = false;
  for (;;) {
    const kind = await file.take(1);
    if (kind[0] === 0x3b) {
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
      const blocks = await firstBlocks(file);
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

/** Reads the first two blocks of an extension and skips the others: extensions that are kept do not use them. */
async function firstBlocks(file: ByteSource): Promise<Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  for (;;) {
    const block = await file.take(u8(await file.take(1), 0));
    if (block.length === 0) return blocks;
    if (blocks.length < 2) blocks.push(block);
  }
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
