import { AppError } from '../../errors.ts';
import type { MediaType } from '../../media/media-type.ts';
import { NAME_HINT } from '../../media/named-types.ts';
import { sniff } from '../../media/sniff/sniff.ts';
import type { IncomingBody } from './incoming-body.ts';

/** Enough for every signature, and for most headers. */
export const HEAD_BYTES = 64 * 1024;

interface Hints {
  filename: string | undefined;
  declaredType: string | undefined;
}

/**
 * Detects the type from the bytes; the name and the declared type count only for formats without a signature.
 * @throws AppError file_missing, unsupported_media
 */
export async function identify(
  body: Pick<IncomingBody, 'head' | 'more'>,
  { filename, declaredType }: Hints,
): Promise<MediaType> {
  let head = body.head();
  if (head.bytes.length === 0) throw new AppError('file_missing', 'The file is empty; send its bytes.');
  for (;;) {
    const result = await sniff(head.bytes, { complete: head.complete, filename, declaredType });
    if (result.kind === 'media') return result.type;
    if (result.kind === 'unknown' || head.complete || result.bytes <= head.bytes.length) {
      const detected =
        result.kind === 'unknown' && result.detected !== undefined ? ` (they look like ${result.detected})` : '';
      throw new AppError(
        'unsupported_media',
        `The bytes are not an image, audio, video or 3D model that can be kept${detected}. ${NAME_HINT}`,
      );
    }
    head = await body.more(result.bytes);
  }
}
