import { fileTypeFromBuffer } from 'file-type';

import { isAdts, isAiff, isAmr, isFlac, isMidi, isWav, mpegAudioLayer, oggKind } from './audio-structure.ts';
import { hasText, u16be } from './byte-order.ts';
import { isAvi, isMpegVideo, isoMediaExtension, matroskaExtension } from './container-structure.ts';
import { mediaTypeByExtension, mediaTypeByMime, type MediaType } from './media-type.ts';
import { isBinaryStl, isFbx, isGlb, isPly, isUsdz } from './model-structure.ts';
import { id3TagBytes } from './mpeg-audio-frame.ts';
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
  isWebp,
  type Verdict,
} from './raster-structure.ts';
import { sniffText } from './sniff-text.ts';
import { decodeText } from './text-encoding.ts';

/** The most that sniffing ever asks to see: 4 MiB. */
export const MAX_HEAD_BYTES = 4 * 1024 * 1024;
/** Nothing is decided on less, unless it is the whole file. */
export const FIRST_HEAD_BYTES = 64 * 1024;
/** How much must lie behind an ID3 tag to tell what it belongs to. */
const BEHIND_TAG_BYTES = 8 * 1024;

export interface SniffHints {
  /** `head` is the whole file. */
  complete: boolean;
  filename?: string;
  declaredType?: string;
}

export type SniffResult =
  | { kind: 'media'; type: MediaType }
  /** Give at least so many leading bytes (never more than MAX_HEAD_BYTES), or the whole file, and ask again. */
  | { kind: 'more'; bytes: number }
  /** Not media; `detected` is what it seems to be, e.g. `application/zip`. */
  | { kind: 'unknown'; detected?: string };

interface Candidate {
  head: Uint8Array;
  complete: boolean;
  named: string | undefined;
}

function medium(ext: string): SniffResult {
  const type = mediaTypeByExtension(ext);
  return type === undefined ? { kind: 'unknown' } : { kind: 'media', type };
}

function unknown(detected?: string): SniffResult {
  return detected === undefined ? { kind: 'unknown' } : { kind: 'unknown', detected };
}

/** The extension that the name or, failing that, the declared type stands for. */
function namedExtension({ filename, declaredType }: SniffHints): string | undefined {
  const dot = filename?.lastIndexOf('.') ?? -1;
  const byName = dot === -1 ? undefined : mediaTypeByExtension(filename!.slice(dot));
  return (byName ?? mediaTypeByMime(declaredType ?? ''))?.ext;
}

/** What is refused by its first bytes: `file-type` would unpack these to look inside, which an uploader could make costly. */
function refusedArchive(head: Uint8Array): string | undefined {
  if (u16be(head, 0) === 0x1f8b) return 'application/gzip';
  if (hasText(head, 0, 'PK\x03\x04') || hasText(head, 0, 'PK\x05\x06') || hasText(head, 0, 'PK\x07\x08')) {
    return 'application/zip';
  }
  // Its objects are a chain of declared lengths, which has looped a sniffer before; it is not kept in any case.
  if (hasText(head, 0, '\x30\x26\xb2\x75\x8e\x66\xcf\x11')) return 'video/x-ms-asf';
  return undefined;
}

/** By signature, as `file-type` names it: does the structure behind the signature agree, and as which extension? */
function confirm(name: string, { head, complete }: Candidate): string | 'more' | undefined {
  const yes = (verdict: Verdict, ext: string): string | undefined => (verdict === true ? ext : verdict || undefined);
  if (name === 'png' || name === 'apng') return yes(isPng(head), name);
  if (name === 'jpg') return yes(isJpeg(head, complete), 'jpg');
  if (name === 'gif') return yes(isGif(head, complete), 'gif');
  if (name === 'webp') return yes(isWebp(head), 'webp');
  if (name === 'bmp') return yes(isBmp(head), 'bmp');
  if (name === 'ico') return yes(isIco(head), 'ico');
  if (name === 'psd') return yes(isPsd(head), 'psd');
  if (name === 'jxl') return yes(isJxl(head), 'jxl');
  if (name === 'jp2' || name === 'jpx') return yes(isJp2(head), 'jp2');
  if (name === 'flac') return yes(isFlac(head), 'flac');
  if (name === 'wav') return yes(isWav(head), 'wav');
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

/** What `file-type` does not tell apart as finely as is needed here, or only with certainty it does not have. */
function ownSignature(candidate: Candidate): string | undefined {
  const { head, complete, named } = candidate;
  if (isUsdz(head)) return 'usdz';
  if (isPly(head)) return 'ply';
  // Its first 80 bytes are free text, in which any signature may appear.
  if (named === 'stl' && isBinaryStl(head, complete, true)) return 'stl';
  return (
    isoMediaExtension(head) ?? matroskaExtension(head) ?? (hasText(head, 8, 'WAVE') && isWav(head) ? 'wav' : undefined)
  );
}

/** What has no signature worth the name, when nothing else fits. */
function withoutSignature({ head, complete, named }: Candidate, tagged: boolean): string | undefined {
  if (isAdts(head, named === 'aac')) return 'aac';
  const layer = mpegAudioLayer(head, tagged || named === 'mp3' || named === 'mp2');
  if (layer !== undefined) return layer === 3 ? 'mp3' : 'mp2';
  return isBinaryStl(head, complete, named === 'stl') ? 'stl' : undefined;
}

async function detect(head: Uint8Array): Promise<{ ext: string; mime: string } | undefined> {
  try {
    return await fileTypeFromBuffer(head.subarray(0, FIRST_HEAD_BYTES));
  } catch {
    return undefined; // a truncated structure is an error to it
  }
}

async function sniffBinary(candidate: Candidate, tagged: boolean): Promise<SniffResult | 'more'> {
  const { head } = candidate;
  const own = ownSignature(candidate);
  if (own !== undefined) return medium(own);
  const refused = refusedArchive(head);
  if (refused !== undefined) return unknown(refused);
  const guess = await detect(head);
  // It gives up on a TIFF whose directory it cannot see, and knows the raw formats that look like one.
  const ext =
    guess === undefined || guess.ext === 'tif' ? (isTiff(head) ? 'tif' : undefined) : confirm(guess.ext, candidate);
  if (ext === 'more') return 'more';
  const found = ext ?? withoutSignature(candidate, tagged);
  if (found !== undefined) return medium(found);
  // A signature of media that the structure belies says nothing about what the file is.
  return unknown(guess === undefined || mediaTypeByMime(guess.mime) !== undefined ? undefined : guess.mime);
}

/** The position after any ID3v2 tags; they stand before MP3, AAC and also FLAC. */
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
 * Decides from the first bytes what a file is. Name and declared type are only asked where a format has no signature,
 * and then its structure must agree. Never throws and takes bounded time; asks for `more` finitely often, since each
 * time it asks for more than it was given.
 */
export async function sniff(head: Uint8Array, hints: SniffHints): Promise<SniffResult> {
  const { complete } = hints;
  if (head.length === 0 && complete) return unknown();
  if (head.length < FIRST_HEAD_BYTES && !complete) return { kind: 'more', bytes: FIRST_HEAD_BYTES };
  const named = namedExtension(hints);
  const more = (bytes: number): SniffResult | undefined =>
    complete || head.length >= MAX_HEAD_BYTES
      ? undefined
      : { kind: 'more', bytes: Math.min(MAX_HEAD_BYTES, Math.max(bytes, head.length * 2)) };

  const tags = afterTags(head);
  if (tags > 0) {
    const wanted = tags + BEHIND_TAG_BYTES;
    const ask = head.length < wanted ? more(wanted) : undefined;
    if (ask !== undefined) return ask;
    // Nothing to be seen behind the tag: its owner is a matter of its name, and the inspector looks once it is there.
    if (tags >= head.length) return medium(named === 'flac' || named === 'aac' ? named : 'mp3');
    const body = await sniffBinary({ head: head.subarray(tags), complete, named }, true);
    return body === 'more' ? unknown() : body.kind === 'media' && body.type.mediaType !== 'audio' ? unknown() : body;
  }

  const text = decodeText(head, MAX_HEAD_BYTES);
  const verdict = text === undefined ? undefined : sniffText(text, complete, named);
  if (verdict !== undefined && verdict !== 'more' && 'ext' in verdict) return medium(verdict.ext);
  const asked = verdict === 'more' ? more(head.length * 4) : undefined;
  if (asked !== undefined) return asked;

  const binary = await sniffBinary({ head, complete, named }, false);
  if (binary === 'more') return more(head.length * 2) ?? unknown();
  if (binary.kind !== 'unknown' || binary.detected !== undefined) return binary;
  return unknown(verdict === undefined || verdict === 'more' ? undefined : verdict.detected);
}
