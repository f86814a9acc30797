import { latin1, u32be, u64be } from '../../byte-order.ts';
import { MAX_ELEMENTS, type Findings } from '../../parsing/findings.ts';
import { skip, take, type Pull, type ReadSource } from '../../pull-reader.ts';

/** Most bytes of image properties, item lists and tables of samples, which are read whole. Most have a few hundred bytes. */
export const MAX_TABLE_BYTES = 1024 * 1024;

export interface Walk {
  found: Findings;
  source: ReadSource;
  boxes: number;
}

export type OnBox = (type: string, body: number) => Pull;

export function startWalk(found: Findings, source: ReadSource): Walk {
  return { found, source, boxes: 0 };
}

/**
 * Walks the boxes between here and `end` (ISO/IEC 14496-12 4.2). A box that exceeds its container is cut to it; one that is
 * smaller than its header ends the walk. The grammar of the callers fixes which boxes are entered, so the depth is bounded.
 */
export function* eachBox(walk: Walk, end: number, onBox: OnBox): Pull {
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

/** Takes the rest of a box, up to `most` bytes of it. */
export function* takeBody(walk: Walk, end: number, most: number): Pull<Uint8Array> {
  return yield* take(Math.max(0, Math.min(end - walk.source.position, most)));
}

/** A crop (`clap`, 12.1.4): its width and height; undefined when it is no crop of a picture of that size. */
export function cropped(body: Uint8Array, [width, height]: Size): Size | undefined {
  const size: Size = [u32be(body, 0) / u32be(body, 4), u32be(body, 8) / u32be(body, 12)];
  const [cropWidth, cropHeight] = size.map((side) => Math.round(side)) as unknown as Size;
  return cropWidth > 0 && cropHeight > 0 && cropWidth <= width && cropHeight <= height
    ? [cropWidth, cropHeight]
    : undefined;
}

export type Size = readonly [width: number, height: number];

/** Whether a pixel is not square (`pasp`, 12.1.4): its width by its height; 1 when the ratio makes no sense. */
export function pixelAspect(body: Uint8Array): number {
  const ratio = u32be(body, 0) / u32be(body, 4);
  return ratio > 0.1 && ratio < 10 ? ratio : 1;
}
