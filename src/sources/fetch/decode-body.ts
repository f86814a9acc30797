import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { AppError } from '../../errors.ts';
import { tooLarge } from './fetch-failure.ts';

/** The content codings of RFC 9110 section 8.4.1 and RFC 8878 that are undone. */
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
 * @throws AppError `fetch_failed` for an unknown coding, or several: nobody who was asked for `identity` stacks them
 */
export function contentCoding(header: string | undefined): ContentCoding | undefined {
  const coding = (header ?? '').trim().toLowerCase();
  if (coding === '' || coding === 'identity') return undefined;
  if (Object.hasOwn(DECODERS, coding)) return coding as ContentCoding;
  throw new AppError('fetch_failed', 'The file came in a content coding other than gzip, deflate, br or zstd.');
}

/**
 * Undoes a content coding as the bytes come, with at most `maxBytes` encoded bytes taken from `source`; the decoded
 * ones are for the reader to count, who may stop at any time. Input that is damaged, cut off, or goes on after the
 * encoded data has ended throws: zlib stops in silence at the second frame of a zstd or brotli stream, and half a
 * file would pass for a whole one.
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
  // has ended, or in the midst of it when it thinks that it has seen enough.
  pipeline(take(), decoder, () => {});
  yield* decoder as AsyncIterable<Buffer>;
  if (taken !== decoder.bytesWritten) {
    throw new AppError('fetch_failed', `The file goes on after the end of its ${coding} data.`);
  }
}
