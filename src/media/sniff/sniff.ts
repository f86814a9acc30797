import { fileTypeFromBuffer } from 'file-type';

import { isAdts, isAiff, isAmr, isFlac, isMidi, isWav, mpegAudioLayer, oggKind } from './audio-structure.ts';
import { hasText, u16be } from '../byte-order.ts';
import { isAvi, isMpegVideo, isoMediaExtension, matroskaExtension } from './container-structure.ts';
import { furtherNamed, furtherSignature } from './further-structure.ts';
import { mediaTypeByExtension, mediaTypeByMime, type MediaType } from '../media-type.ts';
import { isBinaryStl, isFbx, isGlb, isPly, isUsdz } from './model-structure.ts';
import { id3TagBytes } from '../inspect/mpeg-audio-frame.ts';
import {
  isBmp,
  isGif,
  isIco,
  isJp2,
  isJpeg,
  isJxl,
  isPng,
  isPsd,
  isTiff,
  isWholePicture,
  isWebp,
  type Verdict,
} from './raster-structure.ts';
import { sniffText } from './text.ts';
import { decodeText } from '../text-encoding.ts';

/** Most bytes that sniffing requests: 4 MiB. */
export const MAX_HEAD_BYTES = 4 * 1024 * 1024;
/** Fewest bytes to decide on, unless they are the whole file. */
const FIRST_HEAD_BYTES = 64 * 1024;
/** Bytes needed after an ID3 tag to recognise the format. */
const BEHIND_TAG_BYTES = 8 * 1024;

export interface SniffHints {
  /** `head` is the whole file. */
  complete: boolean;
  filename?: string;
  declaredType?: string;
}

export type SniffResult =
  | { kind: 'media'; type: MediaType }
  /** Call again with at least this many leading bytes (never more than MAX_HEAD_BYTES), or the whole file. */
  | { kind: 'more'; bytes: number }
  /** Not media. `detected` is the likely type, such as `application/zip`. */
  | { kind: 'unknown'; detected?: string };

interface Candidate {
  head: Uint8Array;
  /** `head` is the whole file. */
  complete: boolean;
  /** No more bytes can be requested: `head` is the whole file or has MAX_HEAD_BYTES. */
  final: boolean;
  /** The extension of the file's name or declared type. */
  named: string | undefined;
}

function medium(ext: string): SniffResult {
  const type = mediaTypeByExtension(ext);
  return type === undefined ? { kind: 'unknown' } : { kind: 'media', type };
}

function unknown(detected?: string): SniffResult {
  return detected === undefined ? { kind: 'unknown' } : { kind: 'unknown', detected };
}

/** The extension of the file's name, or else of its declared type. */
function namedExtension({ filename, declaredType }: SniffHints): string | undefined {
  const dot = filename?.lastIndexOf('.') ?? -1;
  const byName = dot === -1 ? undefined : mediaTypeByExtension(filename!.slice(dot));
  return (byName ?? mediaTypeByMime(declaredType ?? ''))?.ext;
}

/** Archives, refused by their first bytes: `file-type` would unpack them, which an uploader could make expensive. */
function refusedArchive(head: Uint8Array): string | undefined {
  if (u16be(head, 0) === 0x1f8b) return 'application/gzip';
  if (hasText(head, 0, 'PK\x03\x04') || hasText(head, 0, 'PK\x05\x06') || hasText(head, 0, 'PK\x07\x08')) {
    return 'application/zip';
  }
  // ASF is a chain of objects with declared lengths, which has caused an endless loop in a sniffer. It is not a supported type anyway.
  if (hasText(head, 0, '\x30\x26\xb2\x75\x8e\x66\xcf\x11')) return 'video/x-ms-asf';
  return undefined;
}

/** By `file-type`'s name for the signature: the extension, if the structure after the signature confirms it. */
function confirm(name: string, { head, final }: Candidate): string | undefined {
  const yes = (verdict: Verdict, ext: string): string | undefined => (verdict === true ? ext : verdict || undefined);
  if (name === 'jpg') return yes(isJpeg(head, final), 'jpg');
  if (name === 'gif') return yes(isGif(head, final), 'gif');
  if (name === 'webp') return yes(isWebp(head), 'webp');
  if (name === 'bmp') return yes(isBmp(head), 'bmp');
  if (name === 'ico') return yes(isIco(head), 'ico');
  if (name === 'psd') return yes(isPsd(head), 'psd');
  if (name === 'jxl') return yes(isJxl(head), 'jxl');
  if (name === 'jp2' || name === 'jpx') return yes(isJp2(head), 'jp2');
  if (name === 'flac') return yes(isFlac(head), 'flac');
  if (name === 'aif') return yes(isAiff(head), 'aif');
  if (name === 'amr') return yes(isAmr(head), 'amr');
  if (name === 'mid') return yes(isMidi(head), 'mid');
  if (name === 'avi') return yes(isAvi(head), 'avi');
  if (name === 'mpg') return yes(isMpegVideo(head), 'mpg');
  if (name === 'glb') return yes(isGlb(head), 'glb');
  if (name === 'fbx') return yes(isFbx(head), 'fbx');
  if (/^og[agvmx]$|^opus$|^spx$/.test(name)) return oggKind(head);
  return undefined;
}

/** Formats that `file-type` does not distinguish finely enough, or misses when a later part is damaged. */
function ownSignature({ head, named }: Candidate): string | undefined {
  if (isUsdz(head)) return 'usdz';
  if (isPly(head)) return 'ply';
  if (isWav(head)) return 'wav';
  const medium = named === undefined ? undefined : mediaTypeByExtension(named)?.mediaType;
  const namedAudio = medium === 'audio';
  return isoMediaExtension(head, namedAudio, medium === 'video') ?? matroskaExtension(head, namedAudio);
}

/** Formats without a reliable signature, tried last. `mpeg`: name, declared type or a tag says MPEG audio. */
function withoutSignature(candidate: Candidate, mpeg: boolean): string | undefined {
  const { head, complete, named } = candidate;
  const further = furtherNamed(candidate);
  if (further !== undefined) return further;
  if (isBinaryStl(head, complete, named === 'stl')) return 'stl';
  if (isAdts(head, named === 'aac')) return 'aac';
  const layer = mpegAudioLayer(head, mpeg);
  return layer === undefined ? undefined : layer === 3 ? 'mp3' : 'mp2';
}

async function detect(head: Uint8Array): Promise<{ ext: string; mime: string } | undefined> {
  try {
    return await fileTypeFromBuffer(head.subarray(0, FIRST_HEAD_BYTES));
  } catch {
    return undefined; // `file-type` throws on a truncated structure
  }
}

/** A media signature that the structure contradicts says nothing about the file. */
function otherMime(guess: { mime: string } | undefined): string | undefined {
  return guess === undefined || mediaTypeByMime(guess.mime) !== undefined ? undefined : guess.mime;
}

async function sniffBinary(candidate: Candidate, tagged: boolean): Promise<SniffResult | 'more'> {
  const { head, named } = candidate;
  const own = ownSignature(candidate) ?? furtherSignature(candidate);
  if (own === 'more') return 'more';
  if (own !== undefined) return medium(own);
  const refused = refusedArchive(head);
  if (refused !== undefined) return unknown(refused);
  const guess = await detect(head);
  // `file-type` also checks later chunks of a PNG and the directory of a TIFF, but recognises APNG and camera raw formats, those sometimes
  // by nothing but the number of tags.
  if (isPng(head)) return medium(guess?.ext === 'apng' ? 'apng' : 'png');
  if (isTiff(head) && (guess === undefined || guess.ext === 'tif' || isWholePicture(head))) return medium('tif');
  const confirmed = guess === undefined ? undefined : confirm(guess.ext, candidate);
  if (confirmed === 'more') return 'more';
  if (confirmed !== undefined) return medium(confirmed);
  const mpeg = tagged || ((named === 'mp3' || named === 'mp2') && otherMime(guess) === undefined);
  const ext = withoutSignature(candidate, mpeg);
  return ext === undefined ? unknown(otherMime(guess)) : medium(ext);
}

/** The position after any ID3v2 tags, which precede MP3, AAC and also FLAC. */
function afterTags(head: Uint8Array): number {
  let at = 0;
  for (let i = 0; i < 16; i++) {
    const bytes = id3TagBytes(head, at);
    if (bytes === 0) break;
    at += bytes;
  }
  return at;
}

/**
 * Recognises a file by its first bytes. Its name and declared type count only for formats without a signature, and then the
 * structure must agree. Never throws, and takes bounded time. It may request more bytes; each request is for more than
 * before, so their number is bounded.
 */
export async function sniff(head: Uint8Array, hints: SniffHints): Promise<SniffResult> {
  const { complete } = hints;
  if (head.length === 0 && complete) return unknown();
  if (head.length < FIRST_HEAD_BYTES && !complete) return { kind: 'more', bytes: FIRST_HEAD_BYTES };
  const final = complete || head.length >= MAX_HEAD_BYTES;
  const candidate: Candidate = { head, complete, final, named: namedExtension(hints) };
  const more = (bytes: number): SniffResult => ({
    kind: 'more',
    bytes: Math.min(MAX_HEAD_BYTES, Math.max(bytes, head.length * 2)),
  });

  const tags = afterTags(head);
  if (tags > 0) {
    if (!final && head.length < tags + BEHIND_TAG_BYTES) return more(tags + BEHIND_TAG_BYTES);
    return sniffTagged(candidate, tags);
  }
  const text = decodeText(head, MAX_HEAD_BYTES);
  if (text === undefined) {
    const result = await sniffBinary(candidate, false);
    return result === 'more' ? more(0) : result;
  }
  const verdict = sniffText(text, complete && head.length <= MAX_HEAD_BYTES, candidate.named);
  if (verdict === 'more' && !final) return more(head.length * 4);
  if (verdict !== 'more' && 'ext' in verdict) return medium(verdict.ext);
  if (isPly(head)) return medium('ply');
  // All other media contain control characters, so text after a signature is refused here.
  return unknown(otherMime(await detect(head)) ?? (verdict === 'more' ? 'text/plain' : verdict.detected));
}

async function sniffTagged(candidate: Candidate, tags: number): Promise<SniffResult> {
  const { head, complete, named } = candidate;
  if (!complete && head.length < tags + BEHIND_TAG_BYTES) {
    // The bytes after the tag are not in `head`. The name decides, and the inspector checks them when they arrive.
    return medium(named === 'flac' ? 'flac' : 'mp3');
  }
  const body = await sniffBinary({ ...candidate, head: head.subarray(tags), final: true }, true);
  return body !== 'more' && body.kind === 'media' && body.type.mediaType === 'audio' ? body : unknown();
}
