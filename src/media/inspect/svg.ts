import type { FormatParser } from './findings.ts';
import { takeUpTo } from '../pull-reader.ts';
import { decodeText } from '../text-encoding.ts';
import { isSvgRoot, xmlRoot } from '../xml-root.ts';

const WINDOW_BYTES = 1024 * 1024;

/** CSS Values 4, 6.2: the absolute units in px. */
const UNITS: Record<string, number> = {
  '': 1,
  px: 1,
  in: 96,
  cm: 96 / 2.54,
  mm: 9.6 / 2.54,
  q: 2.4 / 2.54,
  pt: 96 / 72,
  pc: 16,
};

/** A length in px; null when it depends on the page: a percentage, `em`, `auto`. */
function pixels(length: string | undefined): number | null {
  const [, number, unit] =
    /^\+?((?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d{1,3})?)\.?\s*([a-z]*)$/i.exec(length?.slice(0, 64).trim() ?? '') ?? [];
  const scale = UNITS[unit?.toLowerCase() ?? '%'];
  return number === undefined || scale === undefined || !(Number(number) > 0) ? null : Number(number) * scale;
}

/** `width` and `height` of the root (SVG 2, 8.2). A missing one is computed from the aspect ratio of `viewBox`. */
export const parseSvg: FormatParser = function* (found) {
  const text = decodeText(yield* takeUpTo(WINDOW_BYTES), WINDOW_BYTES);
  const root = text === undefined ? 'none' : xmlRoot(text);
  if (typeof root === 'string' || root.attributes === null || !isSvgRoot(root)) return;
  const { attributes } = root;
  // HTML parsers accept the lower-case spelling, and some tools write it.
  const box = (attributes.get('viewBox') ?? attributes.get('viewbox') ?? '').trim().split(/[\s,]+/, 5);
  const [boxWidth, boxHeight] = box.length === 4 ? [pixels(box[2]), pixels(box[3])] : [null, null];
  const ratio = boxWidth !== null && boxHeight !== null ? boxWidth / boxHeight : null;
  const width = pixels(attributes.get('width'));
  const height = pixels(attributes.get('height'));
  const whole = (value: number | null): number | null => (value === null ? null : Math.max(1, Math.round(value)));
  found.width = whole(width ?? (height !== null && ratio !== null ? height * ratio : boxWidth));
  found.height = whole(height ?? (width !== null && ratio !== null ? width / ratio : boxHeight));
};
