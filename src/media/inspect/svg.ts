import type { FormatParser } from '../parsing/findings.ts';
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

const MAX_METADATA = 512 * 1024;

/** The text of the first `metadata` element (SVG 2, 5.10), in CDATA sections or escaped; undefined when it has elements of its own. */
function metadataIn(text: string): string | undefined {
  const open = /<(?:[a-z]+:)?metadata(?:\s[^<>]{0,1000})?>/.exec(text);
  if (!open) return undefined;
  let metadata = '';
  for (let at = open.index + open[0].length; metadata.length <= MAX_METADATA;) {
    const next = text.indexOf('<', at);
    metadata += unescaped(text.slice(at, next < 0 ? text.length : next).slice(0, MAX_METADATA));
    if (next >= 0 && text.startsWith('</', next)) return metadata.trim();
    const end = text.startsWith(CDATA, next) ? text.indexOf(']]>', next) : -1;
    if (next < 0 || end < 0) return undefined;
    metadata += text.slice(next + CDATA.length, end);
    at = end + 3;
  }
  return undefined;
}
const CDATA = '<![CDATA[';

function unescaped(text: string): string {
  return text.replace(/&(lt|gt|quot|apos|amp|#(?:\d{1,7}|x[0-9a-f]{1,6}));/gi, (_all, name: string) => entity(name));
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

function entity(name: string): string {
  const known = ENTITIES[name.toLowerCase()];
  if (known !== undefined) return known;
  const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
  return code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
}

/** `width` and `height` of the root (SVG 2, 8.2). A missing one is computed from the aspect ratio of `viewBox`. And the text of `metadata`. */
export const parseSvg: FormatParser = function* (found) {
  const text = decodeText(yield* takeUpTo(WINDOW_BYTES), WINDOW_BYTES);
  const root = text === undefined ? 'none' : xmlRoot(text);
  if (text === undefined || typeof root === 'string' || root.attributes === null || !isSvgRoot(root)) return;
  const metadata = metadataIn(text);
  if (metadata?.startsWith('{') === true) found.texts.add('metadata', metadata);
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
