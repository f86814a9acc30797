import { ERROR_CODES, type ErrorCode } from '../../src/errors.ts';
import { STATUS_OF } from '../../src/http/errors/statuses.ts';

/** What the caller, or the operator, does about each code. Each is checked to be there by its type. */
const WHAT_TO_DO: Readonly<Record<ErrorCode, string>> = {
  invalid_request:
    'Correct the field that `field` names: `detail` says what it may be. The fields of each route are in [openapi.yaml](../openapi.yaml) and at `/docs`. A misspelt name is answered with the nearest known one.',
  invalid_json:
    'Send one JSON value in UTF-8, without a byte order mark and without comments. JSON inside of a form or a query is text: encode it once.',
  invalid_text:
    'Remove NUL characters, and repair texts that were cut in the middle of a character, before you send them.',
  invalid_multipart:
    'Let a library build the body, and let it set the `Content-Type` with the boundary. One part `file`; all other parts are plain fields.',
  field_after_file: 'Put the fields `userId`, `subfolder` and `filename` before the part `file`.',
  file_missing:
    'Send the bytes: a part named `file` with content, a raw body, or a `source`. A path that was empty gives this, too.',
  invalid_base64:
    'Send standard or URL-safe base64, or a data URI `data:image/png;base64,…`. Check that it was not cut.',
  invalid_digest: 'Write the header as `Content-Digest: sha-256=:…:`, the digest in base64 between colons (RFC 9530).',
  invalid_key: 'Use a key as an answer gave it: relative, with `/`, without `..`, empty or hidden parts.',
  invalid_metadata: 'Send `metadata={"name":"value"}`, URL-encoded: an object that the item\'s metadata must contain.',
  invalid_cursor:
    'Pass on `nextCursor` of the page before, unchanged, with the same filters, order and token. To change those, start without a cursor.',
  comfyui_not_configured:
    'The operator sets `COMFYUI_URL`. Until then send the files themselves, or the URLs of the outputs.',
  unknown_store: 'Name a store that is configured: `local`, `s3` and so on, or a name from `STORES`.',
  token_missing: 'Send `Authorization: Bearer …`, or use a signed URL. `mediakeep token` makes one.',
  token_invalid:
    'Get a new token. `detail` says whether it has expired, lacks a claim, or has a signature or key that is not known.',
  webhook_refused:
    'Set the secret or the signing key of this provider to that of its dashboard (`WEBHOOK_SECRET_…`, [configuration](configuration.md)), and check the clock: a signature is good for five minutes.',
  insufficient_scope: 'Use a token with the scope that `detail` names.',
  user_mismatch:
    'Leave `userId` out, or name the subject of the token. A back end that acts for users needs `media:admin`.',
  signature_invalid:
    'Use the signed URL as it was given, every character of it. After a change of `URL_SIGNING_KEYS` ask for new ones.',
  signature_expired: 'Ask for a new signed URL: `POST /v1/media/{id}/url`, with a longer `expiresIn` if needed.',
  not_found: 'Check the id, and whose token it is: an item of another user is answered like one that does not exist.',
  method_not_allowed: 'Use one of the methods in the header `Allow`.',
  request_timeout:
    'Send it again; if the connection is slow, send the bytes straight to the store (`POST /v1/uploads`), or raise `REQUEST_TIMEOUT_SECONDS`.',
  idempotency_in_progress: 'Ask again with the same key after `Retry-After`; the first attempt is still running.',
  ambiguous: 'Send `userId`: the owner of the item.',
  not_stored:
    'Fetch it from the `storageUrl` of the record, or send the bytes. `mediakeep fetch` stores what was only recorded.',
  content_pending:
    'Ask again after `Retry-After`, or listen to `GET /v1/events`: the item says `status: success` when the bytes are there.',
  object_taken:
    'Use the item that has the object; purge it to record the object anew. Or give the new item another key.',
  run_completed: 'Start a new run for further outputs.',
  upload_incomplete: 'PUT the bytes to the `url` of the upload, with all `headers` of the answer; then complete it.',
  upload_expired: 'Begin a new upload.',
  item_deleted: 'Use a new `Idempotency-Key` to store it again, or restore the item.',
  content_missing:
    'Tell the operator: the record says that a store has the bytes, and it does not. Was a volume not mounted, or a file removed by hand? A copy from a backup, put under the same key, is served at once.',
  json_too_complex:
    'Send less at once: fewer values in `metadata`, or the answer of a provider in parts. Bytes go as a file, not as numbers in JSON.',
  precondition_failed:
    'Read the record again, look at what has changed, and repeat the change with its new `ETag`. To overwrite whatever is there, leave `If-Match` out.',
  too_large:
    'Send a smaller one: `detail` has the limit. The operator may raise `MAX_UPLOAD_BYTES` or `MAX_JSON_BYTES`.',
  unsupported_content_type:
    'Send one of the types that `detail` lists. A file as a raw body goes with its own type, or as `application/octet-stream`.',
  unsupported_media:
    'Send the image, audio, video or 3D file itself: `detail` says what the bytes look like. Often it is an error page in place of the file. Some formats need a filename or a content type: see [media types](media-types.md).',
  strip_unsupported: 'Ask for the content without `strip=metadata`. PNG, JPEG, WebP and GIF can be stripped.',
  range_not_satisfiable: 'Ask for a range within the length that `Content-Range` gives.',
  digest_mismatch: 'Send it again: the bytes were changed on the way, or the digest belongs to another file.',
  length_mismatch: 'Send it again: the connection broke, or `Content-Length` or `bytes` was wrong.',
  idempotency_mismatch:
    'Use one key for one request: a new key for other bytes or fields, the same key for a repetition.',
  url_not_allowed:
    'Give a public `http` or `https` URL. The operator lets in a private host with `FETCH_TRUSTED_HOSTS`.',
  fetch_failed:
    'Check that the URL still works: `detail` has what its server answered. Send the bytes if it has expired.',
  headers_too_large: 'Shorten the URL, the token or the cookies; long filters go into the body of `POST /v1/actions`.',
  rate_limited: 'Wait for `Retry-After` seconds. The operator sets the limit with `RATE_LIMIT_MAX`.',
  internal:
    'Report the `requestId`; the log has the cause under it. Sending it again with the same `Idempotency-Key` is safe.',
  store_unavailable:
    'Repeat after `Retry-After`, with the same `Idempotency-Key`. The operator: `mediakeep doctor` tries each store and names the cause.',
  database_unavailable:
    'Repeat after `Retry-After`, with the same `Idempotency-Key`. The operator: `mediakeep doctor` names the address and the cause.',
  overloaded: 'Repeat after `Retry-After`, with fewer requests at once; narrow a search that took too long.',
  shutting_down: 'Repeat at once; another process answers.',
  keys_unavailable:
    "Repeat after `Retry-After`. The operator: the server of `JWT_JWKS_URL`, or of the provider's keys, does not answer.",
  storage_full: 'The operator makes room, or sets another store as `STORAGE_FALLBACKS`; reads go on. Repeat it then.',
};

/** docs/errors.md, from the error codes. */
export function errors(): string {
  const codes = Object.entries(ERROR_CODES) as [ErrorCode, string][];
  const rows = codes
    .toSorted(([a], [b]) => STATUS_OF[a] - STATUS_OF[b])
    .map(([code, meaning]) => `| \`${code}\` | ${STATUS_OF[code]} | ${meaning} | ${WHAT_TO_DO[code]} |`);
  return `<!-- Generated from src/errors.ts and tools/docs/errors.ts by 'npm run docs'; do not edit. -->
# Errors

Every failure is answered as \`application/problem+json\` (RFC 9457): \`type\`, \`title\`, \`status\`, \`detail\` (what to change this
time), \`code\` (stable; decide by it), \`requestId\` (the log has more under it) and, where one part of the request is meant, \`field\`.
A 5xx never shows a message from inside. New codes may be added.

| code | status | what happened | what to do |
|---|---|---|---|
${rows.join('\n')}
`;
}
