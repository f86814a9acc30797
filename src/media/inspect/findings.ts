import { EmbeddedTexts } from '../embedded-texts.ts';
import type { Pull, Source } from '../pull-reader.ts';

/** What a format's parser has found so far. It writes raw header values: they are checked once, at the end. */
export interface Findings {
  width: number | null;
  height: number | null;
  durationMs: number | null;
  /** The kinds of tracks that the headers announce: what tells an MP4 with sound alone from a video. */
  tracks: Set<'audio' | 'video'>;
  /** Texts beside the picture, in which tools say how it was made. */
  readonly texts: EmbeddedTexts;
  /** Set when the structure that justified the type turns out not to be there. */
  rejected: string | null;
  /** Runs once when the file has ended, for what only its total size can tell. */
  atEnd: ((totalBytes: number) => void) | null;
}

export type FormatParser = (found: Findings, source: Source) => Pull;

export function noFindings(): Findings {
  return {
    width: null,
    height: null,
    durationMs: null,
    tracks: new Set(),
    texts: new EmbeddedTexts(),
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
 * How many boxes, chunks or elements a parser follows before it gives up. Real files stay far below; without a limit
 * a file made of empty boxes would cost a step for every eight bytes.
 */
export const MAX_ELEMENTS = 100_000;
