import { ERROR_CODES, type ErrorCode } from '../../src/errors.ts';
import { STATUS_OF } from '../../src/http/errors/statuses.ts';

const ADVICE: Partial<Record<ErrorCode, string>> = {
  token_missing: 'Send a token, or use a signed URL.',
  token_invalid: 'Get a new token.',
  insufficient_scope: 'Use a token with the scope that `detail` names.',
  signature_expired: 'Ask for a new signed URL.',
  not_found: 'Check the id, and whose token it is.',
  ambiguous: 'Send `userId`: the owner of the item.',
  shutting_down: 'Retry; another process answers.',
  keys_unavailable: 'Retry after `Retry-After`.',
  rate_limited: 'Wait for `Retry-After` seconds.',
  store_unavailable: 'Retry after `Retry-After`, with the same `Idempotency-Key`.',
  database_unavailable: 'Retry after `Retry-After`, with the same `Idempotency-Key`.',
  overloaded: 'Retry after `Retry-After`.',
  storage_full: 'An operator has to make room; reads go on.',
  internal: 'Report the `requestId`; the log has the cause under it.',
  content_missing: 'An operator has to look: the record says that the store should have the bytes.',
  idempotency_in_progress: 'Ask again with the same key; the first attempt is still running.',
};

/** docs/errors.md, from the error codes. */
export function errors(): string {
  const codes = Object.entries(ERROR_CODES) as [ErrorCode, string][];
  const rows = codes
    .toSorted(([a], [b]) => STATUS_OF[a] - STATUS_OF[b])
    .map(
      ([code, meaning]) =>
        `| \`${code}\` | ${STATUS_OF[code]} | ${meaning} | ${ADVICE[code] ?? 'Change the request as `detail` says.'} |`,
    );
  return `<!-- Generated from src/errors.ts by 'npm run docs'; do not edit. -->
# Errors

Every failure is answered as \`application/problem+json\` (RFC 9457): \`type\`, \`title\`, \`status\`, \`detail\` (what to change this
time), \`code\` (stable; decide by it), \`requestId\` (the log has more under it) and, where one part of the request is meant, \`field\`.
A 5xx never shows a message from inside. New codes may be added.

| code | status | meaning | what to do |
|---|---|---|---|
${rows.join('\n')}
`;
}
