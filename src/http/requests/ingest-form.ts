import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.ts';
import { type BodyPace, createBodyPace, paced } from '../connections/minimum-rate.ts';
import { watchDigest } from './content-digest.ts';
import { checkDecoded } from './decoded-text.ts';
import { formTooLarge, maxFormBytes } from './form-length.ts';
import { type FormPart, readParts } from './form-parts.ts';
import { decodeField } from './part-headers.ts';
import { IngestFields } from '../../shapes/ingest.ts';

/** Fields that determine where the file is stored, so they must come before it. */
const BEFORE_FILE = new Set(['userId', 'subfolder', 'filename', 'store', 'projectId', 'sceneId']);
const MAX_FIELD_BYTES = 300 * 1024;
const MAX_NAME_BYTES = 100;
/** Fields that may be repeated. */
const REPEATABLE = new Set(['tags']);
/** Fields that hold JSON: some clients send them as files. */
const JSON_FIELDS = new Set(['metadata', 'generation']);
const JSON_TYPE = 'application/json';
const KNOWN: ReadonlySet<string> = new Set(Object.keys(IngestFields.properties));

export type FormFields = Record<string, unknown>;

export interface IngestForm {
  /** The fields before the file. */
  early: FormFields;
  file: Pick<FormPart, 'filename' | 'type'>;
  /** The bytes of the file. */
  body: AsyncIterable<Uint8Array>;
  /** Reads what follows the file. @throws AppError when it is malformed, a second file, or a field that came too late. */
  rest(fileSha256: string): Promise<FormFields>;
}

/** A form that is being read. */
interface Reading {
  request: FastifyRequest;
  next: () => Promise<FormPart | undefined>;
  pace: BodyPace;
  gap: Gap;
}

/** Bytes that have arrived since the last part, outside of a file. */
interface Gap {
  open: boolean;
  bytes: number;
}

/** A field, its delimiters, and one chunk. */
const MAX_GAP_BYTES = 2 * MAX_FIELD_BYTES;

/**
 * Reads a multipart/form-data body up to its part `file`.
 * @throws AppError file_missing, invalid_multipart, invalid_text, too_large, request_timeout
 */
export async function openForm(request: FastifyRequest): Promise<IngestForm> {
  const pace = createBodyPace(request.server.bodyOptions.rate);
  const watch = watchDigest(request);
  const most = maxFormBytes(request);
  let bytes = 0;
  const gap: Gap = { open: false, bytes: 0 };
  request.raw.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    // The parser skips data outside of any part without limit.
    if (bytes > most) pace.refuse(formTooLarge(request));
    // One chunk may hold many parts: it counts when the next chunk arrives and no part has ended.
    if (gap.open && gap.bytes > MAX_GAP_BYTES) pace.refuse(fieldTooLarge());
    gap.bytes += chunk.length;
    pace.arrived(chunk.length);
    watch?.update(chunk);
  });
  const next = readParts(request.raw, request.headers['content-type'] ?? '');
  const reading: Reading = { request, next, pace, gap };
  const early: FormFields = {};
  for (;;) {
    const part = await nextPart(reading);
    if (part === undefined)
      throw new AppError(
        'file_missing',
        "The form has no part 'file' with a file name; send the file as a part named 'file'.",
        { field: 'file' },
      );
    if ('value' in part) {
      addField(early, part);
      continue;
    }
    if (part.name !== 'file')
      throw new AppError(
        'invalid_multipart',
        `The file must be in a part named 'file', not '${part.name.slice(0, 100)}'.`,
        {
          field: 'file',
        },
      );
    return {
      early,
      file: part,
      body: paced(part.bytes, pace),
      rest: (sha256) => readRest(reading, { sha256, watch }),
    };
  }
}

function fieldTooLarge(): AppError {
  return new AppError('too_large', `A field of the form has more than ${MAX_FIELD_BYTES} bytes.`);
}

/** A field, whole. */
interface Field extends Pick<FormPart, 'name' | 'type'> {
  value: string;
}

/** The next part: a field whole, or a file to be read. @throws AppError */
async function nextPart({ request, next, pace, gap }: Reading): Promise<FormPart | Field | undefined> {
  gap.open = true;
  gap.bytes = 0;
  try {
    const part = await pace.wait(next());
    if (part === undefined || isFile(part)) return part;
    if (part.name === 'file')
      throw new AppError(
        'invalid_multipart',
        'The part \'file\' has no file name, so it is a text; give it one, as in: filename="fox.png".',
        { field: 'file' },
      );
    return await pace.wait(readField(request, part));
  } finally {
    gap.open = false;
  }
}

function isFile({ name, filename, type }: FormPart): boolean {
  if (filename === undefined && type !== 'application/octet-stream') return false;
  return name === 'file' || !isJson(name, type);
}

function isJson(name: string, type: string): boolean {
  return type === JSON_TYPE || JSON_FIELDS.has(name);
}

/** A field's text; it counts against the memory for bodies. @throws AppError overloaded, too_large, invalid_multipart */
async function readField(request: FastifyRequest, part: FormPart): Promise<Field> {
  const { name, type, charset, bytes } = part;
  if (Buffer.byteLength(name) > MAX_NAME_BYTES)
    throw new AppError('invalid_multipart', `A field's name has more than ${MAX_NAME_BYTES} bytes.`);
  const collected = await collect(bytes);
  if (collected === undefined)
    throw new AppError('too_large', `'${name}' may have at most ${MAX_FIELD_BYTES} bytes in a form.`, { field: name });
  const text = decodeField(collected, charset);
  // Editors on Windows begin files with it; JSON has none (RFC 8259, 8.1).
  const value = isJson(name, type) && text.startsWith('\ufeff') ? text.slice(1) : text;
  request.formRoom?.grow((request.formBytes += value.length));
  return { name, type, value };
}

/** All bytes of a field; undefined when there are too many. */
async function collect(bytes: AsyncIterable<Buffer>): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.length;
    if (length > MAX_FIELD_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function readRest(
  reading: Reading,
  { sha256, watch }: { sha256: string; watch: ReturnType<typeof watchDigest> },
): Promise<FormFields> {
  const late: FormFields = {};
  for (;;) {
    const part = await nextPart(reading);
    if (part === undefined) break;
    if (!('value' in part))
      throw new AppError(
        'invalid_multipart',
        "The form must have exactly one part 'file'; send one request for each file.",
        { field: 'file' },
      );
    const name = listName(part.name);
    if (BEFORE_FILE.has(name) && !isLeftOut(name, part)) {
      throw new AppError(
        'field_after_file',
        `'${name}' decides where the file is put; send it before the file, or in the query.`,
        { field: name },
      );
    }
    addField(late, part);
  }
  // RFC 9530 means the whole body; some senders send the file's digest, which is as good a proof.
  const meansFile =
    reading.request.headers['content-digest'] === `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`;
  if (!meansFile) watch?.check();
  return late;
}

/** `tags[]` and `tags[0]`, as some clients write lists, mean `tags`. */
function listName(name: string): string {
  const list = /^(\w+)\[\d*\]$/.exec(name)?.[1];
  return list !== undefined && REPEATABLE.has(list) ? list : name;
}

/** How browsers and axios write a field without a value, null among them. */
function isLeftOut(name: string, { type, value }: Pick<Field, 'type' | 'value'>): boolean {
  if (!KNOWN.has(name)) return false;
  return value === '' || (isJson(name, type) && value.trim() === 'null');
}

function addField(fields: FormFields, { name: given, type, value: text }: Field): void {
  const name = listName(given);
  checkDecoded(name, name);
  checkDecoded(name, text);
  if (isLeftOut(name, { type, value: text })) return;
  if (name in Object.prototype)
    throw new AppError('invalid_multipart', `A field may not be called '${name}'.`, { field: name });
  const value = type === JSON_TYPE ? parseField(name, text) : text;
  if (REPEATABLE.has(name)) {
    fields[name] = [fields[name] ?? [], value].flat();
    return;
  }
  if (Object.hasOwn(fields, name))
    throw new AppError('invalid_multipart', `The field '${name}' came twice.`, { field: name });
  fields[name] = typeof value === 'object' && value !== null ? text : value;
}

/** @throws AppError invalid_json */
function parseField(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AppError('invalid_json', `'${name}' is of type application/json, but does not hold JSON.`, {
      field: name,
      cause: error,
    });
  }
}
