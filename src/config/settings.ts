import { type TOptional, type TString, Type } from 'typebox';
import { WEBHOOKS, type WebhookSetting, hasKeySet } from '../sources/providers/registry.ts';

/** A value that no message shows. */
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

/** Settings of the providers' webhooks: secrets first, then the settings of providers that publish their keys. */
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

/** Every setting of the service. Settings of stores come from the driver registry. docs/configuration.md is generated from both. */
export const SETTINGS = Type.Object({
  NODE_ENV: Type.Optional(
    Type.String({
      // A misspelt one would be a development service in production.
      pattern: '^(production|(?![Pp][Rr][Oo][Dd]).*)$',
      allowed: 'production, or another word, such as development',
      description: '`production` refuses the embedded database and generated secrets.',
    }),
  ),
  HOST: Type.String({
    default: '127.0.0.1',
    minLength: 1,
    description: 'Address to listen on; `0.0.0.0` for all interfaces.',
  }),
  PORT: whole('Port to listen on; 0 takes any free one.', 8080, 0, 65_535),
  PUBLIC_BASE_URL: httpUrl(
    'URL at which callers reach the service; URLs in responses begin with it. Default: `http://{HOST}:{PORT}`.',
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
        'PostgreSQL 15 or newer, by a direct connection, not through a transaction pooler. Percent-encode special characters of the password; TLS: below. Unset: an embedded PostgreSQL in `DATA_DIR`.',
    }),
  ),
  DATABASE_POOL_MAX: whole('Maximum number of database connections.', 10, 2, 1000),
  AUTO_MIGRATE: Type.Boolean({
    default: true,
    allowed: 'true or false',
    description: 'Migrate the database on start; `false`: run `mediakeep migrate`.',
  }),
  STORAGE_PRIMARY: Type.String({ default: 'local', description: 'Store that new items are written to.' }),
  STORAGE_FALLBACKS: list(
    'Stores to write to, in order, while the primary store is down; a worker moves the items to the primary store afterwards.',
    'names of stores, separated by commas',
  ),
  STORAGE_MIRRORS: list('Stores that a worker copies each item to.', 'names of stores, separated by commas'),
  STORES: list(
    'More stores by name, like `archive:s3,volume:local`; the settings of `volume` are then `VOLUME_ROOT` and so on.',
    'name:driver, separated by commas',
  ),
  JWT_SECRET: secret({
    description: 'Secret of HS256 tokens. Unset: one is generated and kept in `DATA_DIR`.',
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
  URL_TTL_SECONDS: whole('Default lifetime of a signed URL.', 900, 1, 604_800),
  DEFAULT_VISIBILITY: Type.Enum(['private', 'public'], {
    default: 'private',
    description: 'Default visibility of an item.',
  }),
  DELIVERY: Type.Enum(['redirect', 'proxy'], {
    default: 'redirect',
    description:
      'How content in a store that can presign URLs (S3) is delivered: by a redirect to a presigned URL, or through the service.',
  }),
  CONTENT_CACHE_BYTES: whole(
    'Memory for caching small files (up to 1 MiB) that are read often; 0: no cache.',
    64 * MIB,
    0,
    64 * GIB,
  ),
  EXTERNAL_URL_HOSTS: list(
    'Hosts that content requests may be redirected to, for items that were recorded without storing their bytes.',
    'host names separated by commas',
  ),
  CORS_ORIGINS: list(
    'Origins whose pages may call the API, or `*`.',
    'origins like https://app.example.com, separated by commas',
  ),
  MAX_UPLOAD_BYTES: whole('Largest file.', 5 * GIB, 1, 2 ** 43),
  MAX_JSON_BYTES: whole('Largest JSON body. Base64 makes a file a third larger.', 64 * MIB, 1024, 512 * MIB),
  JSON_STRUCTURE_BYTES: whole(
    'Maximum bytes of a JSON body outside its text values: punctuation, numbers, names. Each may take up to a hundred bytes of memory. A larger body is refused (`json_too_complex`).',
    4 * MIB,
    64 * 1024,
    64 * MIB,
  ),
  JSON_MAX_VALUES: whole('Maximum number of values of any kind in a JSON body.', 200_000, 1000, 5_000_000),
  JSON_MEMORY_BYTES: whole(
    'Memory that JSON and webhook bodies of 64 KiB or more may use together; a body that does not fit is refused (`overloaded`), unless it is the only one. Webhooks that are verified by a signature share half of it while they arrive. Storing takes up to four times as much memory.',
    256 * MIB,
    0,
    64 * GIB,
  ),
  COMFYUI_URL: httpUrl(
    "URL of the operator's ComfyUI, whose outputs are stored by prompt id. Its host may be private; that does not open it to other downloads.",
  ),
  COMFYUI_DEADLINE_SECONDS: whole(
    'Time after which a ComfyUI prompt that has not finished counts as failed.',
    3600,
    1,
    604_800,
  ),
  FETCH_TRUSTED_HOSTS: list(
    'Hosts that downloads may reach although their address is private, with http and any port.',
    'host names or addresses separated by commas',
  ),
  FETCH_TIMEOUT_SECONDS: whole('Total time for downloading one URL.', 300, 1, 3600),
  TRUSTED_PROXIES: list(
    'Addresses of reverse proxies whose `X-Forwarded-For` names the caller, for the rate limit and the log. It never changes a URL.',
    'addresses or CIDR ranges separated by commas',
  ),
  ...webhookSettings(),
  WORKER_CONCURRENCY: whole(
    'Parallel background downloads, besides one other job; 0: this process does no background work.',
    4,
    0,
    100,
  ),
  RATE_LIMIT_MAX: whole(
    'Requests a minute for each subject of a token, and for each address without one (anonymous, refused, unknown paths). Each replica counts alone. 0: no limit.',
    0,
    0,
    10_000_000,
  ),
  REQUEST_TIMEOUT_SECONDS: whole('Time for one request to arrive, with its body.', 3600, 1, 86_400),
  SHUTDOWN_DELAY_SECONDS: whole(
    'Time between a signal to stop and the closing of the port. Readiness is red meanwhile, so that load balancers send nothing new.',
    0,
    0,
    300,
  ),
  SHUTDOWN_GRACE_SECONDS: whole('Time for running requests to finish after a signal to stop.', 25, 0, 3600),
  METRICS_TOKEN: secret({
    description: 'Bearer token that `/metrics` requires. Unset: it is open.',
    minLength: 16,
    allowed: 'at least 16 characters',
  }),
  METRICS_PORT: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_535,
      allowed: 'a whole number from 1 to 65535',
      description: 'A port of its own for `/metrics`, which `PORT` then does not serve.',
    }),
  ),
  DOCS: Type.Boolean({
    default: true,
    allowed: 'true or false',
    description: 'Whether `/docs` and `/openapi.json` are served.',
  }),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    default: 'info',
    description: 'Minimum level of log lines.',
  }),
});
