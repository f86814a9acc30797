import { u16be, u32be, u64be, u8 } from '../../byte-order.ts';
import type { Pull } from '../../pull-reader.ts';
import { eachBox, MAX_TABLE_BYTES, takeBody, type Walk } from './boxes.ts';

/** How long the fragments of a movie run (ISO/IEC 14496-12 8.8, 8.16.3). All times are in units of their track. */
export interface Fragments {
  /** Units per second by track, and the duration of a sample that does not tell it. */
  scales: Map<number, number>;
  defaults: Map<number, number>;
  runs: Map<number, { start: number; end: number }>;
  /** In milliseconds, by the index of segments. */
  index: { start: number; end: number } | undefined;
}

export function noFragments(): Fragments {
  return { scales: new Map(), defaults: new Map(), runs: new Map(), index: undefined };
}

/** From the first sample to the end of the last, in milliseconds; 0 when there are no fragments. */
export function runMs({ scales, runs, index }: Fragments): number {
  const tracks = [...runs].flatMap(([track, { start, end }]) => {
    const scale = scales.get(track) ?? 0;
    return scale > 0 && end > start ? [{ start: (start / scale) * 1000, end: (end / scale) * 1000 }] : [];
  });
  const all = tracks.length > 0 ? tracks : index ? [index] : [];
  if (all.length === 0) return 0;
  return Math.max(...all.map(({ end }) => end)) - Math.min(...all.map(({ start }) => start));
}

/** `sidx`: the sum of its segments. */
export function* readSegmentIndex(walk: Walk, end: number, fragments: Fragments): Pull {
  const body = yield* takeBody(walk, end, MAX_TABLE_BYTES);
  const wide = u8(body, 0) > 0;
  const scale = u32be(body, 8);
  const list = wide ? 28 : 20;
  let units = 0;
  for (let at = list + 4; at + 12 <= body.length && at < list + 4 + 12 * u16be(body, list + 2); at += 12)
    units += u32be(body, at + 4);
  if (!(scale > 0 && units > 0)) return;
  const start = ((wide ? u64be(body, 12) : u32be(body, 12)) / scale) * 1000;
  const known = fragments.index ?? { start, end: start };
  fragments.index = {
    start: Math.min(known.start, start),
    end: Math.max(known.end, start + (units / scale) * 1000),
  };
}

/** `moof`: where each track's run of samples begins and ends. */
export function* readFragment(walk: Walk, end: number, fragments: Fragments): Pull {
  yield* eachBox(walk, end, function* (type, bodyEnd) {
    if (type !== 'traf') return;
    let track = 0;
    let sample = 0;
    let at = Number.NaN;
    yield* eachBox(walk, bodyEnd, function* (inner, innerEnd) {
      if (inner === 'tfhd') {
        const body = yield* takeBody(walk, innerEnd, 32);
        const flags = u32be(body, 0) & 0xffffff;
        track = u32be(body, 4);
        const skipped = (flags & 1 ? 8 : 0) + (flags & 2 ? 4 : 0);
        sample = flags & 8 ? u32be(body, 8 + skipped) : (fragments.defaults.get(track) ?? 0);
        at = fragments.runs.get(track)?.end ?? 0;
      } else if (inner === 'tfdt') {
        const body = yield* takeBody(walk, innerEnd, 12);
        at = u8(body, 0) > 0 ? u64be(body, 4) : u32be(body, 4);
      } else if (inner === 'trun') {
        const length = runLength(yield* takeBody(walk, innerEnd, MAX_TABLE_BYTES), sample);
        const known = fragments.runs.get(track);
        if (!(at >= 0) || !(length >= 0)) return;
        const run = { start: Math.min(known?.start ?? at, at), end: Math.max(known?.end ?? 0, at + length) };
        if (known || fragments.runs.size < MAX_TRACKS) fragments.runs.set(track, run);
        at += length;
      }
    });
  });
}
const MAX_TRACKS = 64;

/** The duration of all samples of a `trun`. */
function runLength(body: Uint8Array, sample: number): number {
  const flags = u32be(body, 0) & 0xffffff;
  const count = u32be(body, 4);
  if ((flags & 0x100) === 0) return count * sample;
  const first = 8 + (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0);
  const each = 4 * [0x100, 0x200, 0x400, 0x800].filter((flag) => flags & flag).length;
  let length = 0;
  for (let index = 0, at = first; index < count && at + each <= body.length; index += 1, at += each)
    length += u32be(body, at);
  return length;
}
