import { latin1, u16be, u32be, u8 } from '../byte-order.ts';
import type { EmbeddedTexts } from '../embedded-texts.ts';
import { addExifTexts } from '../exif.ts';
import { HiddenTextProbe } from '../hidden/probe.ts';
import type { PixelLayout } from '../hidden/signature.ts';
import { MAX_ELEMENTS, type FormatParser } from '../parsing/findings.ts';
import { addPngText } from '../png-texts.ts';
import { skip, take } from '../pull-reader.ts';

/** `comf` is ComfyUI's own in animated PNGs, and is like `tEXt`. */
const TEXT_CHUNKS = new Set(['tEXt', 'zTXt', 'iTXt', 'comf']);

/** Reads the size from IHDR, the texts before and after the pixels, and how long an animation runs. */
export const parsePng: FormatParser = function* (found) {
  const head = yield* take(29);
  found.width = u32be(head, 16);
  found.height = u32be(head, 20);
  const layout = layoutOf(head);
  yield* skip(u32be(head, 8) - 13 + 4);
  const { texts } = found;
  for (let i = 0; i < MAX_ELEMENTS; i++) {
    const chunk = yield* take(8);
    const length = u32be(chunk, 0);
    const type = latin1(chunk, 4, 4);
    if (type === 'IEND') return;
    if (type === 'caBX') texts.c2pa = true;
    if (type === 'IDAT') {
      found.hidden ??= layout && !saysHow(texts) ? new HiddenTextProbe(layout) : null;
      let left = length;
      for (; left > 0 && found.hidden?.open === true; left -= Math.min(left, PIECE_BYTES))
        found.hidden.push(yield* take(Math.min(left, PIECE_BYTES)));
      yield* skip(left + 4);
      continue;
    }
    if (type === 'fcTL' && length === 26) {
      const frame = yield* take(26);
      // A delay in seconds as a fraction; without a denominator it is in hundredths (PNG 3, 11.3.2.3).
      found.durationMs = (found.durationMs ?? 0) + (u16be(frame, 20) / (u16be(frame, 22) || 100)) * 1000;
      yield* skip(4);
      continue;
    }
    const known = TEXT_CHUNKS.has(type) || type === 'eXIf';
    if (!known || !texts.accepts(`a ${type} chunk`, length)) {
      yield* skip(length + 4);
      continue;
    }
    const data = yield* take(length);
    if (type === 'eXIf') found.orientation = addExifTexts(texts, data);
    else addPngText(texts, type, data);
    yield* skip(4);
  }
};
const PIECE_BYTES = 16 * 1024;

/** A picture with eight bits of each colour in rows from the top, in which a text may be hidden. */
function layoutOf(head: Uint8Array): PixelLayout | undefined {
  const channels = u8(head, 25) === 6 ? 4 : u8(head, 25) === 2 ? 3 : undefined;
  if (channels === undefined || u8(head, 24) !== 8 || u8(head, 28) !== 0) return undefined;
  return { width: u32be(head, 16), height: u32be(head, 20), channels };
}

/** Tools that write texts hide none that says more. Python writes None for nothing. */
function saysHow({ texts }: EmbeddedTexts): boolean {
  return ['parameters', 'prompt', 'workflow', 'Comment', 'Dream', 'sd-metadata', 'invokeai_metadata'].some(
    (name) => texts.has(name) && texts.get(name)?.trim() !== 'None',
  );
}
