import type { Upload } from '../../db/objects/uploads.ts';
import { AppError } from '../../errors.ts';
import { type MediaType, isOfFamily, mediaTypeByExtension, mediaTypeByMime } from '../../media/media-type.ts';

/** Stands for a type that only the bytes will tell. */
export const OCTETS: MediaType = { mime: 'application/octet-stream', ext: 'bin', mediaType: 'image', inline: false };

/**
 * The type that a browser announces, or else the one of the file's name: for 3D files browsers know none, and some systems have names
 * of their own. Undefined: the bytes will tell. @throws AppError unsupported_media
 */
export function announcedType(contentType: string, filename: string | undefined): MediaType | undefined {
  const type = mediaTypeByMime(contentType) ?? mediaTypeByExtension(filename?.split('.').at(-1) ?? '');
  if (type || /^\s*((application|binary)\/octet-stream\s*(;.*)?)?$/i.test(contentType)) return type;
  throw new AppError('unsupported_media', `'${contentType}' is no type that this service keeps.`, {
    field: 'contentType',
  });
}

/** What helps to recognise the bytes. */
export function hintsOf({ key, contentType, fields: { filename } }: Upload): {
  filename: string;
  declaredType: string | undefined;
} {
  const named = typeof filename === 'string' && filename.includes('.') ? filename : key;
  return { filename: named, declaredType: contentType === OCTETS.mime ? undefined : contentType };
}

/** @throws AppError unsupported_media when the bytes are of another family than was announced */
export function checkType(upload: Pick<Upload, 'contentType'>, mime: string): void {
  if (upload.contentType === OCTETS.mime || isOfFamily(mime, upload.contentType)) return;
  throw new AppError(
    'unsupported_media',
    `The bytes are ${mime}, not the ${upload.contentType} that was announced; begin an upload of that type.`,
    { field: 'contentType' },
  );
}
