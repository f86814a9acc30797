import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.ts';

/** Allowance besides the file: the maximum fields of maximum size, their headers, and the part delimiters. */
const BESIDE_FILE_BYTES = 32 * 1024 * 1024;

/** Bytes that a form may have. */
export function maxFormBytes(request: FastifyRequest): number {
  return request.server.bodyOptions.maxFileBytes + BESIDE_FILE_BYTES;
}

export function formTooLarge(request: FastifyRequest): AppError {
  return new AppError(
    'too_large',
    `The form is too large: a file may have at most ${request.server.bodyOptions.maxFileBytes} bytes, and all that is beside it ${BESIDE_FILE_BYTES}.`,
  );
}

/** @throws AppError too_large, before anything is read */
export function checkFormLength(request: FastifyRequest): void {
  if (Number(request.headers['content-length'] ?? 0) > maxFormBytes(request)) throw formTooLarge(request);
}
