import { u16le, u32le, u8 } from '../byte-order.ts';
import type { FormatParser } from '../parsing/findings.ts';
import { take, takeUpTo } from '../pull-reader.ts';

/** `.splat`: 32 bytes for each splat, and nothing else. */
export const SPLAT_BYTES = 32;

export const parseSplat: FormatParser = function* (found) {
  const head = yield* takeUpTo(1);
  if (head.length === 0) found.rejected = 'there is no splat';
  found.atEnd = (total) => {
    if (total === 0 || total % SPLAT_BYTES !== 0) found.rejected = 'the length is not a whole number of splats';
  };
};

const KSPLAT_HEADER_BYTES = 4096;
const KSPLAT_SECTION_BYTES = 1024;
/** Viewers make a few sections; each has a header of a kilobyte. */
const MAX_KSPLAT_SECTIONS = 4096;
/** By the level of compression: bytes of a splat, and of each coefficient of its spherical harmonics. */
const KSPLAT_LEVELS: readonly (readonly [splat: number, coefficient: number])[] = [
  [44, 4],
  [24, 2],
  [24, 1],
];
const COEFFICIENTS = [0, 9, 24, 45];

interface KsplatHeader {
  sections: number;
  level: number;
}

/** The header of a `.ksplat` (mkkellogg/GaussianSplats3D, SplatBuffer): version 0.1 and later, the rest of it zero. */
export function ksplatHeader(head: Uint8Array): KsplatHeader | undefined {
  const [sections, level] = [u32le(head, 4), u16le(head, 20)];
  const isVersion = u8(head, 0) === 0 && u8(head, 1) >= 1 && u16le(head, 2) === 0;
  const isCounted = u32le(head, 8) <= sections && u32le(head, 12) > 0 && u32le(head, 16) <= u32le(head, 12);
  if (!isVersion || !isCounted || !(sections > 0 && sections <= MAX_KSPLAT_SECTIONS)) return undefined;
  if (KSPLAT_LEVELS[level] === undefined || head.length < KSPLAT_HEADER_BYTES) return undefined;
  if (head.subarray(64, KSPLAT_HEADER_BYTES).some((byte) => byte !== 0)) return undefined;
  return { sections, level };
}

/** Checks `.ksplat`: it must be as long as the headers of its sections say. */
export const parseKsplat: FormatParser = function* (found) {
  const wrong = 'the length does not agree with the number of splats';
  found.rejected = wrong;
  const header = ksplatHeader(yield* take(KSPLAT_HEADER_BYTES));
  if (header === undefined) return;
  const [splat, coefficient] = KSPLAT_LEVELS[header.level]!;
  let expected = KSPLAT_HEADER_BYTES + KSPLAT_SECTION_BYTES * header.sections;
  for (let i = 0; i < header.sections; i++) {
    const section = yield* take(KSPLAT_SECTION_BYTES);
    const harmonics = (COEFFICIENTS[u16le(section, 40)] ?? 0) * coefficient;
    const buckets = u16le(section, 20) * u32le(section, 12) + 4 * u32le(section, 36);
    expected += (splat + harmonics) * u32le(section, 4) + buckets;
  }
  found.atEnd = (total) => {
    found.rejected = total === expected ? null : wrong;
  };
};
