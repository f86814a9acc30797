import type { ItemInput } from './item-fields.ts';

/** Bytes that flow in; `finish` gives what follows them in the request, before anything becomes visible. */
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

export type Source =
  | BytesSource
  | { type: 'url'; url: string }
  | { type: 'object'; store: string; key: string }
  | { type: 'external'; storageUrl: string; storageProvider: string; mimeType?: string | undefined }
  | { type: 'none' };
