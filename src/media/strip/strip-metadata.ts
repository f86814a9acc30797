import { ByteSource } from './byte-source.ts';
import { stripGif } from './strip-gif.ts';
import { stripJpeg } from './strip-jpeg.ts';
import { stripPng } from './strip-png.ts';
import { stripWebp } from './strip-webp.ts';

/** Opens the same file from its start, as often as it is called. */
export type OpenFile = () => Promise<AsyncIterable<Uint8Array>>;

/**
 * The file without what is not picture: texts, EXIF (its orientation stays), XMP, manifests, thumbnails, what stands behind
 * its end. The picture's own bytes are the same. It streams, and ends with `MalformedFile` rather than let something pass.
 */
export type Stripper = (open: OpenFile) => AsyncGenerator<Uint8Array>;

const once = (strip: (file: ByteSource) => AsyncGenerator<Uint8Array>): Stripper =>
  async function* (open) {
    const file = new ByteSource(await open());
    try {
      yield* strip(file);
    } finally {
      await file.close();
    }
  };

const STRIPPERS: Readonly<Record<string, Stripper>> = {
  'image/png': once(stripPng),
  'image/apng': once(stripPng),
  'image/jpeg': once(stripJpeg),
  'image/gif': once(stripGif),
  'image/webp': stripWebp,
};

/** How metadata is removed from files of a type; undefined where that is not possible without loss. */
export function stripperFor(mime: string): Stripper | undefined {
  return Object.hasOwn(STRIPPERS, mime) ? STRIPPERS[mime] : undefined;
}
