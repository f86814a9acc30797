import { readFile, writeFile } from 'node:fs/promises';
import { SETTINGS } from '../src/config/settings.ts';
import { storeSettings } from '../src/config/stores.ts';
import { ERROR_CODES, type ErrorCode } from '../src/errors.ts';
import { STATUS_OF } from '../src/http/errors/statuses.ts';

// Writes docs/configuration.md and docs/errors.md from the code; with --check fails when a committed file differs.
/** Annotations of a setting's schema, which TypeBox does not type. */
interface Property {
  type?: string;
  description?: string;
  default?: unknown;
  allowed?: string;
  enum?: string[];
  secret?: boolean;
  minLength?: number;
}

/** What is allowed for a type whose setting does not say more. */
const ALLOWED: Readonly<Record<string, string>> = { integer: 'a whole number', boolean: 'true or false' };

function row(name: string, property: Property, required: boolean): string {
  const allowed = property.enum
    ? property.enum.map((value) => `\`${value}\``).join(', ')
    : (property.allowed ?? ALLOWED[property.type ?? ''] ?? 'a text');
  const fallback =
    property.default === undefined
      ? required
        ? '**required**'
        : '–'
      : `\`${JSON.stringify(property.default).replaceAll('"', '')}\``;
  return `| \`${name}\` | ${fallback} | ${allowed} | ${property.description ?? ''}${property.secret ? ' *Secret: never logged.*' : ''} |`;
}

function table(properties: object, required: readonly string[], prefix = ''): string {
  const rows = Object.entries(properties as Record<string, Property>).map(([name, property]) =>
    row(prefix + name, property, required.includes(name) && property.default === undefined),
  );
  return ['| setting | default | allowed | what it does |', '|---|---|---|---|', ...rows].join('\n');
}

function configuration(): string {
  const stores = Object.entries(storeSettings()).map(([driver, settings]) => {
    const prefix = `${driver.toUpperCase()}_`;
    return `### \`${driver}\`\n\n${table(settings.properties, settings.required ?? [], prefix)}`;
  });
  return `<!-- Generated from src/config/settings.ts and src/storage/stores/registry.ts by 'npm run docs'; do not edit. -->
# Configuration

Settings are environment variables. An empty value counts as not set. A wrong or missing value stops the start with a message
that names it and says what is allowed; all problems are reported at once.

${table(SETTINGS.properties, SETTINGS.required ?? [])}

With \`NODE_ENV=production\`, \`DATABASE_URL\` and \`JWT_SECRET\` (or \`JWT_JWKS_URL\`) must be given: the embedded database and a
made-up secret are for development.

## Stores

A store's settings are named \`{STORE}_{OPTION}\`. The store that bears its driver's name reads the names below; a store \`archive\`
from \`STORES=archive:local\` reads \`ARCHIVE_ROOT\` and so on. \`LOCAL_ROOT\` defaults to \`$DATA_DIR/volume\`; further stores must
name theirs.

${stores.join('\n\n')}
`;
}

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

function errors(): string {
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

let stale = false;
for (const [name, text] of [
  ['configuration.md', configuration()],
  ['errors.md', errors()],
] as const) {
  const file = new URL(`../docs/${name}`, import.meta.url);
  if (!process.argv.includes('--check')) await writeFile(file, text);
  else if ((await readFile(file, 'utf8').catch(() => '')) !== text) {
    process.stderr.write(`docs/${name} differs from the code; run 'npm run docs' and commit it\n`);
    stale = true;
  }
}
process.exitCode = stale ? 1 : 0;
