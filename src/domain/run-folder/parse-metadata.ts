import { CALLER_FIELDS, columnOf } from '../../db/item-columns.ts';
import { AppError } from '../../errors.ts';
import { type ItemInput, checkTime } from '../items/item-fields.ts';

/** One item of metadata.json. Only the types of its values have been checked. */
export interface MetadataItem {
  /** The id of its row, when it had one; published URLs may contain it. */
  id: string | undefined;
  filename: string | undefined;
  /** The store whose folder of the same name has the file; undefined: this one. */
  store: string | undefined;
  bytes: number | undefined;
  sha256: string | undefined;
  mimeType: string | undefined;
  external: { storageUrl: string; storageProvider: string } | undefined;
  createdAt: string | undefined;
  updatedAt: string | undefined;
  deletedAt: string | undefined;
  input: ItemInput;
}

/** The content of a metadata.json, in our form or that of an older system. */
export interface RunMetadata {
  runId: string | undefined;
  userId: string | undefined;
  timestamp: string | undefined;
  schema: string | undefined;
  executionMode: string | undefined;
  safetyLevel: string | undefined;
  inputText: string | undefined;
  transformedText: string | undefined;
  metadata: unknown;
  completedAt: string | undefined;
  items: MetadataItem[];
}

type Fields = Record<string, unknown>;

/** Parses metadata.json. Fields of a wrong type count as absent; the caller checks the values. @throws AppError invalid_json */
export function parseRunMetadata(text: string): RunMetadata {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new AppError('invalid_json', 'metadata.json is not valid JSON.', { cause: error });
  }
  if (!isFields(parsed)) throw new AppError('invalid_json', 'metadata.json is not a JSON object.');
  const timestamp = time(parsed['timestamp']);
  const items = [parsed['outputs'], parsed['records']].flatMap((list) =>
    Array.isArray(list) ? list.filter(isFields).map((entry) => itemOf(entry, timestamp)) : [],
  );
  return {
    runId: word(parsed['run_id']),
    userId: word(parsed['user_id']),
    timestamp,
    schema: word(parsed['schema']),
    executionMode: word(parsed['execution_mode']),
    safetyLevel: word(parsed['safety_level']),
    inputText: word(parsed['input_text']),
    transformedText: word(parsed['transformed_text']),
    metadata: isFields(parsed['metadata']) ? parsed['metadata'] : {},
    completedAt: time(parsed['completed_at']),
    items,
  };
}

function itemOf(entry: Fields, timestamp: string | undefined): MetadataItem {
  const storageUrl = word(entry['storage_url']);
  const storageProvider = word(entry['storage_provider']);
  return {
    id: idOf(entry['item_id']),
    filename: word(entry['filename']),
    store: word(entry['store']),
    bytes: whole(entry['file_size_bytes']),
    sha256: word(entry['sha256'])?.toLowerCase(),
    mimeType: word(entry['mime_type']),
    external: storageUrl !== undefined && storageProvider !== undefined ? { storageUrl, storageProvider } : undefined,
    createdAt: time(entry['created_at']),
    updatedAt: time(entry['updated_at']),
    deletedAt: time(entry['deleted_at']),
    input: {
      ...said(entry),
      model: word(entry['model']) ?? word(entry['config']),
      provider: word(entry['provider']) ?? word(entry['backend']),
      // Older systems recorded one time for the whole run.
      generatedAt: time(entry['generated_at']) ?? (entry['created_at'] === undefined ? timestamp : undefined),
    },
  };
}

/** Readers by type; all other fields are texts. */
const READ: Partial<Record<string, (value: unknown) => unknown>> = {
  integer: (value) => small(whole(value)),
  time,
  tags: (value) => (Array.isArray(value) ? value.filter((tag) => typeof tag === 'string') : []),
  object: (value) => (isFields(value) ? value : undefined),
};
const SAID = CALLER_FIELDS.filter(([, { run }]) => run !== false);

/** The item's fields that a caller had set. */
function said(entry: Fields): ItemInput {
  const input: Record<string, unknown> = {};
  for (const [field, { kind, run, values }] of SAID) {
    const value = (READ[kind] ?? word)(entry[typeof run === 'string' ? run : columnOf(field)]);
    input[field] = values === undefined || values.includes(String(value)) ? value : undefined;
  }
  return input;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function word(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function whole(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** Limited, so that a file cannot use up the range of ids. */
function idOf(value: unknown): string | undefined {
  return typeof value === 'string' && /^[1-9][0-9]{0,14}$/.test(value) ? value : undefined;
}

/** Fits an INTEGER. */
function small(value: number | undefined): number | undefined {
  return value !== undefined && value < 2 ** 31 ? value : undefined;
}

/** A time that can be stored; without an offset, as Python writes it, it is UTC. */
function time(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = /^[\d-]{10}[Tt ][\d:]{8}(\.\d+)?$/.test(value) ? `${value}Z` : value;
  try {
    return checkTime('timestamp', text);
  } catch {
    return undefined;
  }
}
