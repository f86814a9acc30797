import { hasText, latin1, u32be, u64be, u8 } from '../byte-order.ts';
import { noFindings, type FormatParser } from '../parsing/findings.ts';
import { parseMovie } from '../inspect/iso/movie.ts';
import { parseMatroska } from '../inspect/matroska.ts';
import { PullReader } from '../pull-reader.ts';

/**
 * Whether the headers in `head` declare audio tracks and no video, which brands and DocTypes do not say. When the headers
 * are beyond `head`, the file's name decides (`namedAudio`).
 */
function isSoundAlone(head: Uint8Array, parser: FormatParser, namedAudio: boolean): boolean {
  const found = noFindings();
  const reader = new PullReader();
  reader.start(parser(found, reader));
  reader.push(head);
  return found.tracks.size === 0 ? namedAudio : !found.tracks.has('video');
}

const TOP_LEVEL_BOXES = /^(ftyp|moov|mdat|free|skip|wide|moof|sidx|styp|uuid|meta|pdin|emsg|prft|pnot|PICT)$/;
const MOVIE_BRANDS =
  /^(iso[m1-9]|mp4[12]|mp71|avc1|dash|msdh|msix|cmf[c-z2]|piff|MSNV|NDS[A-Z]|ndsc|mmp4|F4V |F4P |XAVC|M4VP|nvr1|hlsf|mif2)$/;

/** Extension of an ISO base media file (ISO/IEC 14496-12), by its brands or else its tracks. */
export function isoMediaExtension(head: Uint8Array, namedAudio: boolean, namedVideo: boolean): string | undefined {
  if (!hasText(head, 4, 'ftyp')) return isOldQuickTime(head, namedVideo) ? 'mov' : undefined;
  const size = u32be(head, 0);
  if (size < 16 || size > 4096 || size % 4 !== 0) return undefined;
  const brands = [latin1(head, 8, 4)];
  for (let at = 16; at + 4 <= Math.min(size, head.length); at += 4) brands.push(latin1(head, at, 4));
  const major = brands[0]!;
  const picture = pictureExtension(brands, latin1(head, size + 4, 4) === 'meta');
  if (picture !== undefined) return picture;
  if (major.startsWith('qt')) return 'mov';
  if (/^M4[AB] $|^F4[AB] $/.test(major)) return 'm4a';
  if (/^M4V[ HP]?$/.test(major.trimEnd())) return 'm4v';
  if (major.startsWith('3g')) {
    if (isSoundAlone(head, parseMovie, namedAudio)) return major.startsWith('3g2') ? 'm4a' : '3ga';
    return major.startsWith('3g2') ? '3g2' : '3gp';
  }
  const next = latin1(head, size + 4, 4);
  if (!brands.some((brand) => MOVIE_BRANDS.test(brand)) && !TOP_LEVEL_BOXES.test(next)) return undefined;
  // Camera raw files and JPEG 2000 also have boxes, with other brands.
  if (/^(crx |jp[2xm] |mjp2)$/.test(major)) return undefined;
  return isSoundAlone(head, parseMovie, namedAudio) ? 'm4a' : 'mp4';
}

/**
 * HEIF and AVIF (ISO/IEC 23008-12 10): by the major brand, or by a compatible one when the items of a picture come first.
 * Writers put brands of profiles, of other codecs or of the file format first.
 */
function pictureExtension(brands: readonly string[], itemsFirst: boolean): string | undefined {
  const [major = ''] = brands;
  const has = (pattern: RegExp) => pattern.test(major) || (itemsFirst && brands.some((brand) => pattern.test(brand)));
  if (!/^(mif1|msf1|miaf)$/.test(major)) {
    if (AVIF.test(major)) return 'avif';
    if (HEIC.test(major)) return 'heic';
    if (!has(HEIF) && !has(AVIF) && !has(HEIC)) return undefined;
  }
  if (brands.some((brand) => AVIF.test(brand))) return 'avif';
  return brands.some((brand) => HEIC.test(brand)) ? 'heic' : 'heif';
}
const AVIF = /^avi[fso]$/;
const HEIC = /^(hei[cxms]|hev[cxms])$/;
const HEIF = /^(mif[1-3]|msf1|miaf|jpeg|jpgs|avci|avcs|j2ki|j2is|vvic|vvis|evbi|evbs)$/;

/**
 * QuickTime without brands: consecutive known boxes, of which the first two or a `moov` must be in `head`. A large `mdat` at the
 * front is enough where the name says video.
 */
function isOldQuickTime(head: Uint8Array, named: boolean): boolean {
  let at = 0;
  for (let boxes = 0; boxes < 8; boxes++) {
    const type = latin1(head, at + 4, 4);
    if (!/^(moov|mdat|free|skip|wide|pnot|PICT|uuid)$/.test(type)) return false;
    if (type === 'moov') return /^(mvhd|cmov|rmra|udta|iods|prfl|clip|meta|trak)$/.test(latin1(head, at + 12, 4));
    const size = u32be(head, at) === 1 ? u64be(head, at + 8) : u32be(head, at);
    if (size < 8) return false;
    at += size;
    if (at >= head.length) return type === 'mdat' && (boxes > 0 || named);
  }
  return false;
}

const EBML = '\x1a\x45\xdf\xa3';
const SEGMENT = '\x18\x53\x80\x67';

/**
 * WebM or Matroska, by the DocType of the EBML header (RFC 8794 11.2). With a damaged header before a segment it is
 * Matroska, which includes WebM.
 */
export function matroskaExtension(head: Uint8Array, namedAudio: boolean): string | undefined {
  if (!hasText(head, 0, EBML)) return undefined;
  const first = u8(head, 4);
  const length = Math.clz32(first) - 23;
  if (!(length >= 1 && length <= 8)) return undefined;
  let size = first & ((0x80 >> (length - 1)) - 1);
  for (let i = 1; i < length; i++) size = size * 256 + u8(head, 4 + i);
  if (!(size <= 4096)) return undefined;
  const start = 4 + length;
  const header = latin1(head, start, size);
  const docType = /B\x82[^a-z]{1,8}(webm|matroska)/.exec(header)?.[1];
  if (docType === undefined && !hasText(head, start + size, SEGMENT)) return undefined;
  const sound = isSoundAlone(head, parseMatroska, namedAudio);
  return docType === 'webm' ? (sound ? 'weba' : 'webm') : sound ? 'mka' : 'mkv';
}

export function isAvi(head: Uint8Array): boolean {
  return hasText(head, 0, 'RIFF') && hasText(head, 8, 'AVI LIST') && hasText(head, 20, 'hdrl');
}

/** MPEG-1 and 2: a pack header with its marker bits, or a sequence header with a known aspect ratio and frame rate. */
export function isMpegVideo(head: Uint8Array): boolean {
  if (hasText(head, 0, '\0\0\x01\xba')) return (u8(head, 4) & 0xf1) === 0x21 || (u8(head, 4) & 0xc4) === 0x44;
  const rates = u8(head, 7);
  return (
    hasText(head, 0, '\0\0\x01\xb3') && rates >> 4 >= 1 && rates >> 4 <= 14 && (rates & 15) >= 1 && (rates & 15) <= 8
  );
}
