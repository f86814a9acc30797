import { EmbeddedTexts } from '../embedded-texts.ts';
import { readHiddenText } from '../hidden/hidden-text.ts';
import type { HiddenPixels } from '../hidden/probe.ts';
import { noFindings, type Findings, type FormatParser } from '../parsing/findings.ts';
import type { GenerationData } from '../generation/generation-data.ts';
import { parseObject } from '../generation/loose-json.ts';
import { readGeneration } from '../generation/read-generation.ts';
import { parseAdts, parseAmr, parseFlac, parseMpegAudio } from './audio-frames.ts';
import { parseHeif, parseJp2 } from './iso/heif.ts';
import { parseMovie } from './iso/movie.ts';
import { parseJpeg } from './jpeg.ts';
import { parseJxl } from './jxl.ts';
import { parseMatroska } from './matroska.ts';
import { parse3mf, parseFbx, parseGlb, parseGltf, parseNothing, parseObj, parseStl } from './model.ts';
import { parseTransportStream } from './mpeg-ts.ts';
import { parseMpegVideo } from './mpeg-video.ts';
import { parseOgg } from './ogg.ts';
import { parsePng } from './png.ts';
import { parseBmp, parseGif, parseIco, parsePsd, parseTiff } from './raster.ts';
import { parseAiff, parseAvi, parseWav } from './riff.ts';
import { parseKsplat, parseSplat } from './splats.ts';
import { parseSvg } from './svg.ts';
import { parseDds, parseExr, parseKtx, parseKtx2, parseQoi, parseRadiance, parseTga } from './textures.ts';
import { parseWebp } from './webp.ts';
import { type MediaType, typeOfTracks } from '../media-type.ts';
import { PullReader } from '../pull-reader.ts';

export interface Inspection {
  /**
   * In pixels as displayed: cropped, turned, and with square pixels, as the file says. Null when not found or implausible. Fits
   * 31 bits.
   */
  width: number | null;
  height: number | null;
  /** In pixels as stored, where that is another size. */
  stored?: { width: number; height: number } | undefined;
  /** In whole milliseconds, below 2^53; null when not found or implausible, and for still pictures. An animation's is one run of it. */
  durationMs: number | null;
  /** How the file says that it was generated; null when it does not say. Storable, and below 48 KiB as JSON. */
  generation: GenerationData | null;
}

export interface Inspector {
  /** Takes the next bytes of the file, in chunks of any size; the chunk is not kept. */
  push(chunk: Uint8Array): void;
  /** Call once at the end. `ok` is false only for a format without a signature whose structure turns out to be missing. */
  finish(): Inspected | { ok: false; reason: string };
}

interface Inspected {
  ok: true;
  /** The type by all of the file: sound alone is no video. */
  type: MediaType;
  inspection: Inspection;
  /** Pixels that seem to hide how the picture was made. */
  hidden?: HiddenPixels | undefined;
}

/**
 * The inspection with what the picture hides in its pixels, which takes up to some seconds. What the file says openly goes
 * first. Never throws.
 */
export async function withHiddenText({
  inspection,
  hidden,
}: Pick<Inspected, 'inspection' | 'hidden'>): Promise<Inspection> {
  const open = inspection.generation;
  if (!hidden || (open !== null && (open.prompt !== undefined || !['c2pa', 'unknown'].includes(open.source))))
    return inspection;
  const texts = new EmbeddedTexts();
  try {
    const text = await readHiddenText(hidden);
    if (text === undefined) return inspection;
    addHiddenText(texts, text);
  } catch (error) {
    // A picture that only seems to hide a text may be broken.
    if (!hidden.certain) return inspection;
    texts.note(`a text hidden in the pixels could not be read: ${error instanceof Error ? error.message : 'unknown'}`);
  }
  for (const note of open?.notes ?? []) texts.note(note);
  texts.c2pa = open?.c2pa === true;
  const found = readGeneration(texts);
  if (found === null) return inspection;
  // The workflow route reads no pixels.
  const { hasWorkflow: _has, ...generation } = found;
  return { ...inspection, generation };
}

/** NovelAI hides all its texts as one JSON object, by keyword; others hide an infotext, or settings as JSON. */
function addHiddenText(texts: EmbeddedTexts, text: string): void {
  const fields = Object.entries(parseObject(text) ?? {}).filter(([, value]) => typeof value === 'string');
  if (fields.some(([name]) => name === 'Comment' || name === 'parameters'))
    for (const [name, value] of fields) texts.add(name, String(value));
  else texts.add(parseObject(text) ? 'UserComment' : 'parameters', text);
}

const PARSERS: Record<string, FormatParser> = {
  'image/png': parsePng,
  'image/apng': parsePng,
  'image/jpeg': parseJpeg,
  'image/gif': parseGif,
  'image/webp': parseWebp,
  'image/avif': parseHeif,
  'image/heic': parseHeif,
  'image/heif': parseHeif,
  'image/jxl': parseJxl,
  'image/tiff': parseTiff,
  'image/bmp': parseBmp,
  'image/x-icon': parseIco,
  'image/jp2': parseJp2,
  'image/vnd.adobe.photoshop': parsePsd,
  'image/svg+xml': parseSvg,
  'image/x-exr': parseExr,
  'image/vnd.radiance': parseRadiance,
  'image/ktx': parseKtx,
  'image/ktx2': parseKtx2,
  'image/vnd.ms-dds': parseDds,
  'image/qoi': parseQoi,
  'image/x-tga': parseTga,
  'audio/mpeg': parseMpegAudio,
  'audio/wav': parseWav,
  'audio/flac': parseFlac,
  'audio/ogg': parseOgg,
  'audio/aac': parseAdts,
  'audio/mp4': parseMovie,
  'audio/aiff': parseAiff,
  'audio/amr': parseAmr,
  'audio/webm': parseMatroska,
  'audio/matroska': parseMatroska,
  'video/mp4': parseMovie,
  'video/quicktime': parseMovie,
  'video/webm': parseMatroska,
  'video/matroska': parseMatroska,
  'video/x-msvideo': parseAvi,
  'audio/3gpp': parseMovie,
  'video/3gpp': parseMovie,
  'video/3gpp2': parseMovie,
  'video/ogg': parseOgg,
  'video/mpeg': parseMpegVideo,
  'video/mp2t': parseTransportStream,
  'model/gltf+json': parseGltf,
  'model/gltf-binary': parseGlb,
  'model/stl': parseStl,
  'model/obj': parseObj,
  'model/x-fbx': parseFbx,
  'model/vnd.usda': parseObj,
  'model/3mf': parse3mf,
  'model/x-splat': parseSplat,
  'model/x-ksplat': parseKsplat,
};

const WITH_TEXTS: ReadonlySet<string> = new Set(
  [
    ['image/png', 'image/apng', 'image/jpeg', 'image/webp', 'image/jxl', 'image/avif', 'image/heic', 'image/heif'],
    [
      'image/gif',
      'image/svg+xml',
      'video/mp4',
      'video/quicktime',
      'video/webm',
      'video/matroska',
      'video/ogg',
      'video/3gpp',
    ],
    ['audio/mp4', 'audio/flac', 'audio/mpeg', 'audio/ogg', 'audio/wav', 'audio/webm', 'audio/matroska', 'audio/aac'],
    ['model/gltf-binary', 'model/gltf+json'],
  ].flat(),
);

const MAX_DIMENSION = 2 ** 31 - 1; // PostgreSQL INTEGER

function isDimension(value: number | null): value is number {
  return value !== null && Number.isInteger(value) && value > 0 && value <= MAX_DIMENSION;
}

/** One rule for all formats: a crop, then a turn. Where both are missing, the size is as stored. */
function displayed({ width, height, shown, orientation }: Findings): readonly [number | null, number | null] {
  const [across, down] = shown ?? [width, height];
  return orientation >= 5 ? [down, across] : [across, down];
}

interface Started {
  found: Findings;
  push(chunk: Uint8Array): void;
  end(): void;
}

function start(type: MediaType): Started {
  const found = noFindings();
  const reader = new PullReader();
  let total = 0;
  reader.start((PARSERS[type.mime] ?? parseNothing)(found, reader));
  return {
    found,
    push(chunk) {
      total += chunk.length;
      reader.push(chunk);
    },
    end() {
      reader.end();
      found.atEnd?.(total);
    },
  };
}

/**
 * Reads size, duration and generation data of a file while it is streamed. Feed it all chunks in order, including the
 * first. It decodes no pixels, keeps at most 8 MiB in memory, and never throws.
 */
export function createInspector(type: MediaType): Inspector {
  const { found, push, end } = start(type);
  return {
    push,
    finish() {
      end();
      if (found.hidden?.tooLarge === true)
        found.texts.note('the pixels may hide a text, and are too many for it to be read');
      if (found.rejected !== null) return { ok: false, reason: found.rejected };
      const [width, height] = displayed(found);
      const known = typeOfTracks(type, found.tracks);
      const sized = known.mediaType !== 'audio' && isDimension(width) && isDimension(height);
      const same = found.width === width && found.height === height;
      const duration = Math.round(found.durationMs ?? 0);
      const timed = duration > 0 && Number.isSafeInteger(duration);
      return {
        ok: true,
        type: known,
        inspection: {
          width: sized ? width : null,
          height: sized ? height : null,
          stored:
            sized && !same && isDimension(found.width) && isDimension(found.height)
              ? { width: found.width, height: found.height }
              : undefined,
          durationMs: timed ? duration : null,
          generation: readGeneration(found.texts),
        },
        hidden: found.hidden?.finish(),
      };
    },
  };
}

export interface TextReader {
  /** Takes the next bytes of the file. Returns the texts found so far. */
  push(chunk: Uint8Array): ReadonlyMap<string, string>;
  /** Call at the end of the file. Some formats have to be read whole before their texts are known. Returns all texts. */
  end(): ReadonlyMap<string, string>;
}

/** Reads only the embedded texts of a file while it is streamed; undefined for types without texts. */
export function createTextReader(type: MediaType): TextReader | undefined {
  if (!WITH_TEXTS.has(type.mime)) return undefined;
  const { found, push, end } = start(type);
  return {
    push(chunk) {
      push(chunk);
      return found.texts.texts;
    },
    end() {
      end();
      return found.texts.texts;
    },
  };
}
