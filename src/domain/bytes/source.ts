import { decodeData } from '../../sources/base64.ts';
import { once } from './incoming-body.ts';
import type { ItemInput } from '../items/item-fields.ts';

/** A byte stream; `finish` returns the fields that follow it in the request, before anything becomes visible. */
export interface BytesSource {
  type: 'bytes';
  /** For the metrics: `multipart`, `raw`, `base64`. */
  via: string;
  body: AsyncIterable<Uint8Array>;
  filename?: string | undefined;
  declaredType?: string | undefined;
  size?: number | undefined;
  /** Called when the body has ended. @throws AppError, then nothing is kept. */
  finish?: (digests: { sha256: string }) => Promise<ItemInput> | ItemInput;
}

/** Bytes that lie elsewhere, and what the caller says of them. */
export interface ExternalSource {
  type: 'external';
  storageUrl: string;
  storageProvider: string;
  mimeType?: string | undefined;
  bytes?: number | undefined;
  /** The provider's name may be that of a store here, as older systems wrote it. */
  asWritten?: true | undefined;
}

export type Source =
  | BytesSource
  | { type: 'url'; url: string }
  | { type: 'object'; store: string; key: string }
  | ExternalSource
  | { type: 'none' };

/**
 * Base64 or a data URI as a source.
 * @param via for the metrics
 * @param contentType a declared type, which takes precedence over the URI's
 * @throws AppError invalid_base64, file_missing
 */
export async function base64Source(data: string, via: string, contentType?: string): Promise<BytesSource> {
  const { bytes, declaredType } = await decodeData(data);
  return { type: 'bytes', via, body: once(bytes), declaredType: contentType ?? declaredType, size: bytes.length };
}
