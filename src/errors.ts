import { constants } from 'node:os';

/**
 * Every error that can reach a caller has one of these codes. The sentence says what the code means in general; the error's own
 * message says what to change this time. `docs/errors.md` lists them, and a test compares the two.
 */
export const ERROR_CODES = {
  invalid_request: 'The request does not have the documented shape.',
  invalid_json: 'The body is not valid JSON in UTF-8.',
  invalid_text: 'A text holds a character that cannot be stored (NUL, or half of a surrogate pair).',
  invalid_multipart: 'The multipart body is malformed or has parts that are not allowed.',
  field_after_file: 'A field that decides where the file is put came after the file.',
  file_missing: 'The request carries no file.',
  invalid_base64: 'The base64 data or the data URI cannot be decoded.',
  invalid_digest: 'The Content-Digest header cannot be read.',
  invalid_key: 'The key is not a path that this service could have made.',
  invalid_metadata: 'The `metadata` of a search is not a JSON object.',
  invalid_cursor: 'The cursor was cut, changed, or belongs to another search.',
  comfyui_not_configured: 'This service has no ComfyUI to fetch from.',
  unknown_store: 'No store of that name is configured.',
  token_missing: 'The request needs a bearer token.',
  token_invalid: 'The token was refused.',
  insufficient_scope: 'The token lacks the scope that this needs.',
  user_mismatch: "The token may not act for that user; only a token with media:admin may name another user's id.",
  signature_invalid: 'The signed URL was changed, or its key is no longer accepted.',
  webhook_refused: "The webhook's sender could not be proven: its signature or secret is missing or wrong.",
  signature_expired: 'The signed URL has expired.',
  not_found: 'There is no such thing, or the token may not see it.',
  method_not_allowed: 'The path does not take that method; the header Allow names those that it takes.',
  request_timeout: 'The request did not arrive in time.',
  idempotency_in_progress: 'A request with the same idempotency key is still running.',
  ambiguous: 'The name stands for items of several users.',
  not_stored: 'The item has no bytes here: it was only recorded, or its generation failed.',
  content_pending: 'The item has no bytes yet: its download or its generation has not ended.',
  object_taken: 'Another item stands for that object already.',
  run_completed: 'The run has been completed: nothing can be added to it or changed in it.',
  upload_incomplete: 'The bytes of the upload have not arrived yet.',
  upload_expired: 'The time in which the upload could be completed is over.',
  item_deleted: 'The item that an earlier request with the same idempotency key stored has been deleted.',
  content_missing: 'The store no longer has the bytes of this item.',
  json_too_complex: 'The JSON body holds more values, or more structure around its texts, than is taken at once.',
  precondition_failed: 'The thing was changed since the ETag or the time that the request names.',
  too_large: 'The body, the file or one of its fields is larger than allowed.',
  unsupported_content_type: 'The Content-Type of the request is not one that this route takes.',
  unsupported_media: 'The bytes are not an image, audio, video or 3D model that this service keeps.',
  strip_unsupported: 'The metadata of this file cannot be removed without loss.',
  range_not_satisfiable: 'The range starts beyond the end of the file.',
  digest_mismatch: 'The bytes that arrived do not have the digest that the caller stated; nothing was kept.',
  length_mismatch: 'Fewer or more bytes arrived than were announced; nothing was kept.',
  headers_too_large: 'The head of the request is larger than allowed.',
  idempotency_mismatch: 'The idempotency key was used before with different content.',
  url_not_allowed: 'The URL points to a place that this service must not fetch from.',
  fetch_failed: 'The URL could not be fetched.',
  rate_limited: 'Too many requests.',
  internal: 'Something went wrong inside the service.',
  store_unavailable: 'The store cannot be reached or refuses to work at the moment.',
  database_unavailable: 'The database cannot be reached at the moment.',
  overloaded: 'The service has more to do than it can manage at the moment.',
  shutting_down: 'This process is shutting down.',
  keys_unavailable: 'The keys that tokens are checked with cannot be fetched at the moment.',
  storage_full: 'The store has no room left.',
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface AppErrorOptions {
  cause?: unknown;
  /** The part of the request at fault, e.g. `metadata.seed`. */
  field?: string;
  /** Seconds after which a retry makes sense; becomes the Retry-After header. */
  retryAfter?: number;
  /** Further headers of the response. */
  headers?: Readonly<Record<string, string>>;
}

/** An expected error: a stable code, and a sentence that the caller may read. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfter: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options.field;
    this.retryAfter = options.retryAfter;
    this.headers = options.headers ?? {};
  }
}

/** Whether `error` is an AppError with one of `codes`, if any are given. */
export function isAppError(error: unknown, ...codes: ErrorCode[]): error is AppError {
  return error instanceof AppError && (codes.length === 0 || codes.includes(error.code));
}

/** The `code` of a system or driver error (`ENOENT`, a SQLSTATE), or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errno } = error as Error & { code?: unknown; errno?: unknown };
  if (typeof code !== 'string') return undefined;
  // Node has no name for some system errors of network volumes: ESTALE arrives as "Unknown system error -116".
  return typeof errno === 'number' && code.startsWith('Unknown system error') ? (NAMES.get(-errno) ?? code) : code;
}

const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/**
 * Why a connection failed, for operators: the innermost message, such as `connect ECONNREFUSED 127.0.0.1:5432`. Node tries every
 * address of a host and collects their failures, with an empty message of its own.
 */
export function causeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0)
    return [...new Set(error.errors.map(causeOf))].slice(0, 4).join(', ');
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return causeOf(error.cause);
  return error.message || codeOf(error) || error.name;
}
