import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { AppError } from '../../errors.ts';
import { tooLarge } from './fetch-failure.ts';

/** The supported content codings of RFC 9110 section 8.4.1 and RFC 8878. */
const DECODERS = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
} as const;

export type ContentCoding = keyof typeof DECODERS;

/**
 * Reads a Content-Encoding header.
 *
 * @returns undefined when the body is not encoded
 * @throws AppError `fetch_failed` for an unknown coding or several codings; the request asked for `identity`
 */
export function contentCoding(header: string | undefined): ContentCoding | undefined {
  const coding = (header ?? '').trim().toLowerCase();
  if (coding === '' || coding === 'identity') return undefined;
  if (Object.hasOwn(DECODERS, coding)) return coding as ContentCoding;
  throw new AppError('fetch_failed', 'The file came in a content coding other than gzip, deflate, br or zstd.');
}

/**
 * Decodes a stream. Takes at most `maxBytes` encoded bytes from `source`; the reader must limit the decoded bytes. Damaged
 * or truncated input throws, and so do bytes after the end of the encoded data: zlib silently stops at the second frame
 * of a zstd or brotli stream, and part of a file would be taken for the whole.
 */
export async function* decodeBody(source: Readable, coding: ContentCoding, maxBytes: number): AsyncGenerator<Buffer> {
  const decoder: Transform & { bytesWritten: number } = DECODERS[coding]();
  let taken = 0;

  async function* take(): AsyncGenerator<Buffer> {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      taken += chunk.length;
      if (taken > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
  }

  // Errors reach the reader through the decoder, which pipeline destroys with them. The decoder ends when its input
  // ends, or earlier when its format says that the data is complete.
  pipeline(take(), decoder, () => {});
  yield* decoder as AsyncIterable<Buffer>;
  if (taken !== decoder.bytesWritten) {
    throw new AppError('fetch_failed', `The file goes on after the end of its ${coding} data.`);
  }
}
