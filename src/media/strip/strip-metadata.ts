import { ByteSource, type OpenFile } from './byte-source.ts';
import type { SourceTypeMark } from './source-type.ts';
import { stripGif } from './strip-gif.ts';
import { stripJpeg } from './strip-jpeg.ts';
import { stripPng } from './strip-png.ts';
import { stripWebp } from './strip-webp.ts';

/**
 * Removes everything from a file that is not part of the picture: texts, EXIF except the orientation and the resolution, XMP
 * except the digital source type, manifests, thumbnails and bytes after the end. The coded picture stays byte for byte the same. It streams, and throws `MalformedFile`
 * rather than let metadata through.
 */
export type Stripper = (open: OpenFile, mark: SourceTypeMark) => AsyncGenerator<Uint8Array>;

const once = (strip: (file: ByteSource, mark: SourceTypeMark) => AsyncGenerator<Uint8Array>): Stripper =>
  async function* (open, mark) {
    const file = new ByteSource(await open());
    try {
      yield* strip(file, mark);
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

/** The function that removes metadata from files of a type; undefined where that is not possible without loss. */
export function stripperFor(mime: string): Stripper | undefined {
  return Object.hasOwn(STRIPPERS, mime) ? STRIPPERS[mime] : undefined;
}
