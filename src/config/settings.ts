import { type TOptional, type TString, Type } from 'typebox';
import { WEBHOOKS, type WebhookSetting, hasKeySet } from '../sources/providers/registry.ts';

/** A text that is never shown in a message. */
const secret = (options: { description: string; minLength?: number; allowed: string }) =>
  Type.Optional(Type.String({ ...options, secret: true }));
const list = (description: string, allowed = 'names separated by commas') =>
  Type.Optional(Type.String({ description, allowed }));
const httpUrl = (description: string) =>
  Type.Optional(
    Type.String({
      description,
      pattern: '^https?://[^\\s/?#][^\\s?#]*$',
      allowed: 'an address like https://media.example.com',
    }),
  );
const whole = (description: string, defaultValue: number, minimum: number, maximum: number) =>
  Type.Integer({
    description,
    default: defaultValue,
    minimum,
    maximum,
    allowed: `a whole number from ${minimum} to ${maximum}`,
  });

const webhookSecret = (description: string) =>
  Type.Optional(Type.String({ description, secret: true, minLength: 1, allowed: 'a secret' }));

/** The settings of the providers' webhooks: the secrets of those that share one, then those of providers that sign with keys of their own. */
function webhookSettings(): Record<WebhookSetting, TOptional<TString>> {
  const settings = WEBHOOKS.toSorted((a, b) => Number(hasKeySet(a)) - Number(hasKeySet(b))).flatMap((webhook) => {
    const { secret } = webhook;
    const shared = [[secret.name, webhookSecret(secret.description)]] as const;
    if (!hasKeySet(webhook)) return shared;
    const { url, accounts } = webhook.proof;
    return [...shared, [url.name, httpUrl(url.description)], [accounts.name, list(accounts.description)]] as const;
  });
  return Object.fromEntries(settings) as Record<WebhookSetting, TOptional<TString>>;
}

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/** Every setting of the service; the stores' own come from the driver registry. docs/configuration.md is made from this. */
export const SETTINGS = Type.Object({
  NODE_ENV: Type.Optional(
    Type.String({ description: '`production` refuses the embedded database and made-up secrets.' }),
  ),
  HOST: Type.String({ default: '127.0.0.1', minLength: 1, description: 'Address to listen on; `0.0.0.0` for all.' }),
  PORT: whole('Port to listen on; 0 takes any free one.', 8080, 0, 65_535),
  PUBLIC_BASE_URL: httpUrl(
    'Address at which callers reach the service; URLs in answers are made from it. Default: `http://{HOST}:{PORT}`.',
  ),
  DATA_DIR: Type.String({
    default: './.data',
    minLength: 1,
    description: 'Folder of the embedded database, the development secret and the default volume.',
  }),
  DATABASE_URL: Type.Optional(
    Type.String({
      pattern: '^postgres(ql)?://',
      secret: true,
      allowed: 'postgres://user:password@host:5432/name',
      description:
        'PostgreSQL 15 or newer; a direct connection, not a transaction-pooled one. Unset: an embedded one in `DATA_DIR`.',
    }),
  ),
  DATABASE_POOL_MAX: whole('Connections to the database at most.', 10, 2, 1000),
  AUTO_MIGRATE: Type.Boolean({
    default: true,
    allowed: 'true or false',
    description: 'Bring the schema up to date on start; `false`: `mediakeep migrate` does it.',
  }),
  STORAGE_PRIMARY: Type.String({ default: 'local', description: 'Store that new items are written to.' }),
  STORAGE_FALLBACKS: list(
    'Stores to write to while the primary one is down, in order; a worker brings the items home afterwards.',
    'names of stores, separated by commas',
  ),
  STORAGE_MIRRORS: list('Stores that get a copy of each item afterwards.', 'names of stores, separated by commas'),
  STORES: list(
    'Further named stores: `archive:s3,volume:local`; the settings of `volume` are then `VOLUME_ROOT` and so on.',
    'name:driver, separated by commas',
  ),
  JWT_SECRET: secret({
    description: 'Secret of HS256 tokens. Unset: one is made and kept in `DATA_DIR`.',
    minLength: 32,
    allowed: 'at least 32 characters',
  }),
  JWT_JWKS_URL: httpUrl('JSON Web Key Set for RS256, ES256 and EdDSA tokens.'),
  JWT_ISSUER: Type.Optional(Type.String({ minLength: 1, description: 'Required `iss` of a token.' })),
  JWT_AUDIENCE: Type.Optional(Type.String({ minLength: 1, description: 'Required `aud` of a token.' })),
  URL_SIGNING_KEYS: secret({
    description:
      'Keys of service-signed URLs, `id:secret` separated by commas; the first signs, all verify. Unset: derived from the JWT secret.',
    allowed: 'id:secret, separated by commas',
  }),
  URL_TTL_SECONDS: whole('Lifetime of a signed URL when the caller names none.', 900, 1, 604_800),
  DEFAULT_VISIBILITY: Type.Enum(['private', 'public'], {
    default: 'private',
    description: 'Visibility of items whose caller names none.',
  }),
  DELIVERY: Type.Enum(['redirect', 'proxy'], {
    default: 'redirect',
    description:
      'Whether content of a store that can presign (S3) is answered by a redirect to a presigned URL, or sent by the service.',
  }),
  CONTENT_CACHE_BYTES: whole(
    'Memory for small files (up to 1 MiB) that are asked for again and again; 0: none.',
    64 * MIB,
    0,
    64 * GIB,
  ),
  EXTERNAL_URL_HOSTS: list(
    'Hosts to which content of items that were only recorded may be redirected.',
    'host names separated by commas',
  ),
  CORS_ORIGINS: list(
    'Origins whose pages may call the API, or `*`.',
    'origins like https://app.example.com, separated by commas',
  ),
  MAX_UPLOAD_BYTES: whole('Largest file.', 5 * GIB, 1, 2 ** 43),
  MAX_JSON_BYTES: whole('Largest JSON body; base64 makes a file a third larger.', 64 * MIB, 1024, 512 * MIB),
  JSON_STRUCTURE_BYTES: whole(
    'Most bytes of a JSON body outside of its text values: punctuation, numbers, names. More is refused (`json_too_complex`): each takes up to a hundred bytes of memory.',
    4 * MIB,
    64 * 1024,
    64 * MIB,
  ),
  JSON_MAX_VALUES: whole('Most values of any kind in a JSON body.', 200_000, 1000, 5_000_000),
  JSON_MEMORY_BYTES: whole(
    'Memory that JSON and webhook bodies of 64 KiB or more may hold together; one that finds no room is refused (`overloaded`). Webhooks whose sender is proven by a signature share half of it while they arrive. Storing takes up to four times as much memory. One alone is always taken.',
    256 * MIB,
    0,
    64 * GIB,
  ),
  COMFYUI_URL: httpUrl(
    "Address of the operator's own ComfyUI, whose outputs are stored by prompt id; its host may be private. No other fetch gets there by that.",
  ),
  COMFYUI_DEADLINE_SECONDS: whole(
    'Time after which a ComfyUI prompt that has not ended counts as failed.',
    3600,
    1,
    604_800,
  ),
  FETCH_TRUSTED_HOSTS: list(
    'Hosts that may be fetched from although their address is private, with http and any port.',
    'host names or addresses separated by commas',
  ),
  FETCH_TIMEOUT_SECONDS: whole('Time that fetching one URL may take in all.', 300, 1, 3600),
  TRUSTED_PROXIES: list(
    'Addresses of reverse proxies whose `X-Forwarded-For` names the caller (rate limit, logs). URLs are never made from it.',
    'addresses or CIDR ranges separated by commas',
  ),
  ...webhookSettings(),
  WORKER_CONCURRENCY: whole(
    'Downloads in the background at once, beside which one other job runs; 0: this process runs none.',
    4,
    0,
    100,
  ),
  RATE_LIMIT_MAX: whole(
    'Requests a minute for each subject of a token, and for each address without one (anonymous, refused, unknown paths); counted in each replica. 0: no limit.',
    0,
    0,
    10_000_000,
  ),
  REQUEST_TIMEOUT_SECONDS: whole('Time that one request, its body included, may take to arrive.', 3600, 1, 86_400),
  SHUTDOWN_GRACE_SECONDS: whole(
    'Time that running requests get to finish when the process is told to stop.',
    25,
    0,
    3600,
  ),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    default: 'info',
    description: 'Least important log line that is written.',
  }),
});
