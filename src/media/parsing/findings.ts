import { EmbeddedTexts } from '../embedded-texts.ts';
import type { HiddenTextProbe } from '../hidden/probe.ts';
import type { Pull, ReadSource } from '../pull-reader.ts';

/** The results of a format's parser so far. They are raw header values, checked once at the end. */
export interface Findings {
  /** As stored. */
  width: number | null;
  height: number | null;
  /** As displayed, where a crop, a turn or the shape of the pixels makes that another size. An EXIF orientation is applied later. */
  shown: readonly [width: number, height: number] | null;
  /** The size is that of the file's main picture; others do not count. */
  sized: boolean;
  /** 5 to 8: the picture lies on its side (EXIF 2.32, 4.6.4 A). Set by formats whose viewers follow it. */
  orientation: number;
  durationMs: number | null;
  /** The kinds of tracks that the headers declare. They distinguish an audio-only MP4 from a video. */
  tracks: Set<'audio' | 'video'>;
  /** Embedded texts, in which generators write how the picture was made. */
  readonly texts: EmbeddedTexts;
  /** Set at the first pixels: keeps those of a picture that seems to hide a text; null when the picture cannot. */
  hidden: HiddenTextProbe | null;
  /** Set when the structure that the type was chosen for is missing. */
  rejected: string | null;
  /** Called once at the end of the file, for checks that need its total size. */
  atEnd: ((totalBytes: number) => void) | null;
}

export type FormatParser = (found: Findings, source: ReadSource) => Pull;

export function noFindings(): Findings {
  return {
    width: null,
    height: null,
    shown: null,
    sized: false,
    orientation: 1,
    durationMs: null,
    tracks: new Set(),
    texts: new EmbeddedTexts(),
    hidden: null,
    rejected: null,
    atEnd: null,
  };
}

/** Keeps the larger of two pictures, for formats that hold several sizes of one. */
export function keepLarger(found: Findings, width: number, height: number): void {
  if (width * height > (found.width ?? 0) * (found.height ?? 0)) {
    found.width = width;
    found.height = height;
  }
}

/**
 * Most boxes, chunks or elements that a parser follows. Real files have far fewer; without a limit, a file of empty boxes
 * would take a step for every eight bytes.
 */
export const MAX_ELEMENTS = 100_000;
