import type { Multipart, MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { AppError, codeOf } from '../../errors.ts';
import { watchDigest } from './content-digest.ts';
import { checkDecoded } from './decoded-text.ts';
import { type BodyPace, createBodyPace, paced } from '../connections/minimum-rate.ts';

/** Fields that determine where the file is stored, so they must come before it. */
const BEFORE_FILE = new Set(['userId', 'subfolder', 'filename', 'store', 'projectId', 'sceneId']);
const MAX_FIELD_BYTES = 300 * 1024;
const MAX_NAME_BYTES = 100;
/** Allowance besides the file: the maximum fields of maximum size, their headers, and the part delimiters. */
const BESIDE_FILE_BYTES = 32 * 1024 * 1024;
/** Fields that may be repeated. */
const REPEATABLE = new Set(['tags']);

export type FormFields = Record<string, unknown>;

export interface IngestForm {
  /** The fields before the file. */
  early: FormFields;
  file: MultipartFile;
  /** The bytes of the file. */
  body: AsyncIterable<Uint8Array>;
  /** Reads what follows the file. @throws AppError when it is malformed, a second file, or a field that came too late. */
  rest(fileSha256: string): Promise<FormFields>;
}

/**
 * Reads a multipart/form-data body up to its part `file`.
 * @throws AppError file_missing, invalid_multipart, invalid_text, too_large, request_timeout
 */
export async function openForm(request: FastifyRequest): Promise<IngestForm> {
  const { maxFileBytes, rate } = request.server.bodyOptions;
  const pace = createBodyPace(rate);
  const watch = watchDigest(request);
  const most = maxFileBytes + BESIDE_FILE_BYTES;
  if (Number(request.headers['content-length'] ?? 0) > most) throw formTooLarge(maxFileBytes);
  const parts = request.parts({
    // One byte more than allowed, so that exceeding the limit is reported here: a cut file must never look like a whole one.
    limits: {
      fileSize: maxFileBytes + 1,
      fields: 100,
      files: 2,
      parts: 120,
      fieldSize: MAX_FIELD_BYTES,
      fieldNameSize: MAX_NAME_BYTES,
      headerPairs: 50,
    },
  });
  let bytes = 0;
  const gap: Gap = { open: false, bytes: 0 };
  request.raw.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    // The parser skips truncated data, or data outside of any part, without limit, and reports it only at its end.
    if (bytes > most) pace.refuse(formTooLarge(maxFileBytes));
    // One chunk may hold many parts: it counts when the next chunk arrives and no part has ended.
    if (gap.open && gap.bytes > MAX_GAP_BYTES) pace.refuse(fieldTooLarge());
    gap.bytes += chunk.length;
    pace.arrived(chunk.length);
    watch?.update(chunk);
  });
  const iterator: AsyncIterator<Multipart> = parts[Symbol.asyncIterator]();
  const early: FormFields = {};
  for (;;) {
    const next = await nextPart(iterator, pace, gap);
    if (next.done)
      throw new AppError(
        'file_missing',
        "The form has no part 'file' with a file name; send the file as a part named 'file'.",
        { field: 'file' },
      );
    const part = next.value;
    if (part.type === 'file') {
      if (part.fieldname !== 'file')
        throw new AppError(
          'invalid_multipart',
          `The file must be in a part named 'file', not '${part.fieldname.slice(0, 100)}'.`,
          { field: 'file' },
        );
      return {
        early,
        file: part,
        body: paced(part.file, pace),
        rest: (sha256) => readRest(iterator, request, { sha256, watch, pace, gap }),
      };
    }
    hold(request, part);
    addField(early, part);
  }
}

/** Counts a field against the memory for bodies. @throws AppError overloaded */
function hold(request: FastifyRequest, { value }: Exclude<Multipart, MultipartFile>): void {
  const bytes = (request.formBytes += typeof value === 'string' ? value.length : 0);
  request.formRoom?.grow(bytes);
}

/** Bytes that have arrived since the last part, outside of a file. */
interface Gap {
  open: boolean;
  bytes: number;
}

/** A field, its delimiters, and one chunk. */
const MAX_GAP_BYTES = 2 * MAX_FIELD_BYTES;

function fieldTooLarge(): AppError {
  return new AppError('too_large', `A field of the form has more than ${MAX_FIELD_BYTES} bytes.`);
}

function formTooLarge(maxFileBytes: number): AppError {
  return new AppError(
    'too_large',
    `The form is too large: a file may have at most ${maxFileBytes} bytes, and all that is beside it ${BESIDE_FILE_BYTES}.`,
  );
}

/** @throws AppError invalid_multipart for any parser error; only exceeded limits have other codes. */
async function nextPart(
  iterator: AsyncIterator<Multipart>,
  pace: BodyPace,
  gap: Gap,
): Promise<IteratorResult<Multipart>> {
  gap.open = true;
  gap.bytes = 0;
  let next: IteratorResult<Multipart>;
  try {
    next = await pace.wait(iterator.next());
  } catch (error) {
    if (error instanceof AppError || codeOf(error) !== undefined) throw error;
    throw new AppError(
      'invalid_multipart',
      'The multipart body is malformed: its boundary is missing or unusable, or it was cut off.',
      { cause: error },
    );
  } finally {
    gap.open = false;
  }
  if (next.done !== true && typeof (next.value as { fieldname?: string }).fieldname !== 'string') {
    throw new AppError('invalid_multipart', 'A part of the form has no name.');
  }
  return next;
}

async function readRest(
  iterator: AsyncIterator<Multipart>,
  request: FastifyRequest,
  { sha256, watch, pace, gap }: { sha256: string; watch: ReturnType<typeof watchDigest>; pace: BodyPace; gap: Gap },
): Promise<FormFields> {
  const late: FormFields = {};
  for (;;) {
    const next = await nextPart(iterator, pace, gap);
    if (next.done) break;
    const part = next.value;
    if (part.type === 'file') {
      part.file.resume();
      throw new AppError(
        'invalid_multipart',
        "The form must have exactly one part 'file'; send one request for each file.",
        { field: 'file' },
      );
    }
    if (BEFORE_FILE.has(part.fieldname)) {
      throw new AppError(
        'field_after_file',
        `'${part.fieldname}' decides where the file is put; send it before the file, or in the query.`,
        { field: part.fieldname },
      );
    }
    hold(request, part);
    addField(late, part);
  }
  // RFC 9530 means the whole body; some senders send the file's digest, which is as good a proof.
  const meansFile = request.headers['content-digest'] === `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`;
  if (!meansFile) watch?.check();
  return late;
}

function addField(fields: FormFields, part: Exclude<Multipart, MultipartFile>): void {
  const { fieldname: name, value } = part;
  // Busboy truncates values silently, and does not limit names.
  if (part.fieldnameTruncated || Buffer.byteLength(name) > MAX_NAME_BYTES)
    throw new AppError('invalid_multipart', `A field's name has more than ${MAX_NAME_BYTES} bytes.`);
  if (part.valueTruncated)
    throw new AppError('too_large', `'${name}' may have at most ${MAX_FIELD_BYTES} bytes in a form.`, { field: name });
  for (const text of [name, value]) if (typeof text === 'string') checkDecoded(name, text);
  if (name === 'file')
    throw new AppError('invalid_multipart', "The part 'file' must be a file: give it a filename.", { field: 'file' });
  if (REPEATABLE.has(name)) {
    const list = Array.isArray(fields[name]) ? fields[name] : [];
    fields[name] = [...list, ...(Array.isArray(value) ? value : [value])];
    return;
  }
  if (Object.hasOwn(fields, name))
    throw new AppError('invalid_multipart', `The field '${name}' came twice.`, { field: name });
  fields[name] = typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
}
