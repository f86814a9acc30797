import { latin1, u8 } from '../byte-order.ts';
import { type ByteSource, MalformedFile } from './byte-source.ts';

/** How often an animation repeats. */
const KEPT_APPLICATIONS: ReadonlySet<string> = new Set(['NETSCAPE2.0', 'ANIMEXTS1.0']);

/** Blocks (GIF89a) are kept byte by byte or left out whole: comments, plain texts and what applications have added. */
export async function* stripGif(file: ByteSource): AsyncGenerator<Uint8Array> {
  const head = await file.take(13);
  if (!/^GIF8[79]a$/.test(latin1(head, 0, 6))) throw new MalformedFile('it has no GIF signature');
  yield head;
  yield* file.pass(colours(u8(head, 10)));
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
      yield* subBlocks(file, true);
    } else if (kind[0] === 0x21) {
      const label = await file.take(1);
      const first = await file.take(1);
      const body = await file.take(u8(first, 0));
      const kept = label[0] === 0xf9 || (label[0] === 0xff && KEPT_APPLICATIONS.has(latin1(body, 0, 11)));
      if (kept) yield Uint8Array.from([0x21, u8(label, 0), u8(first, 0), ...body]);
      if (first[0] !== 0) yield* subBlocks(file, kept);
    } else {
      throw new MalformedFile('it holds a block that is none');
    }
  }
}

/** Bytes of the colour table that the flags announce. */
function colours(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

async function* subBlocks(file: ByteSource, kept: boolean): AsyncGenerator<Uint8Array> {
  for (let bytes = 1; bytes > 0;) {
    const length = await file.take(1);
    bytes = u8(length, 0);
    const body = await file.take(bytes);
    if (kept) yield Uint8Array.from([...length, ...body]);
  }
}
