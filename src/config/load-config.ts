import path from 'node:path';
import { type Static, Type } from 'typebox';
import ipaddr from 'ipaddr.js';
import { check, words } from './check.ts';
import { type Environment, given } from './environment.ts';
import { isPublished } from './published-secrets.ts';
import { shownValue } from './shown-value.ts';
import { SETTINGS } from './settings.ts';
import { type StoreConfig, loadStores } from './stores.ts';
import { ACCOUNT_SETTINGS, type AccountSetting } from '../sources/providers/registry.ts';
import { DRIVERS, type DriverKind } from '../storage/stores/registry.ts';

export interface ConfiguredKey {
  id: string;
  secret: string;
}

type Settings = Static<typeof SETTINGS>;

type Parsed =
  | 'DATA_DIR'
  | 'PUBLIC_BASE_URL'
  | 'STORAGE_FALLBACKS'
  | 'STORAGE_MIRRORS'
  | 'STORES'
  | 'URL_SIGNING_KEYS'
  | 'CORS_ORIGINS'
  | 'EXTERNAL_URL_HOSTS'
  | 'FETCH_TRUSTED_HOSTS'
  | AccountSetting
  | 'TRUSTED_PROXIES';

/** All settings, checked, typed and frozen. Names are those of the environment variables. */
export type Config = Readonly<
  Omit<Settings, Parsed> & {
    production: boolean;
    /** Absolute. */
    DATA_DIR: string;
    /** Without a trailing slash. Undefined: the default, `http://{HOST}:{PORT}`. */
    PUBLIC_BASE_URL: string | undefined;
    STORAGE_FALLBACKS: readonly string[];
    STORAGE_MIRRORS: readonly string[];
    stores: readonly StoreConfig[];
    /** The first key signs, all of them verify. Empty: the key is derived from the JWT secret. */
    URL_SIGNING_KEYS: readonly ConfiguredKey[];
    CORS_ORIGINS: readonly string[];
    EXTERNAL_URL_HOSTS: readonly string[];
    FETCH_TRUSTED_HOSTS: readonly string[];
    TRUSTED_PROXIES: readonly string[];
  } & Record<AccountSetting, readonly string[]>
>;

/** What a command needs that only works on the database. */
export type DatabaseConfig = Pick<Config, 'DATABASE_URL' | 'DATA_DIR' | 'production'>;

/** What is needed to sign a token. */
export type TokenConfig = Pick<
  Config,
  'DATA_DIR' | 'production' | 'JWT_SECRET' | 'JWT_JWKS_URL' | 'JWT_ISSUER' | 'JWT_AUDIENCE'
>;

/** Wrong or missing settings. Each problem is one line that names the setting and what is allowed; it never shows a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** Reads only the settings of the database. @throws ConfigError */
export function loadDatabaseConfig(env: Environment): DatabaseConfig {
  return loadSome(env, ['DATABASE_URL'], requireDatabase);
}

/** Reads only the settings of tokens. @throws ConfigError */
export function loadTokenConfig(env: Environment): TokenConfig {
  return loadSome(env, ['JWT_SECRET', 'JWT_JWKS_URL', 'JWT_ISSUER', 'JWT_AUDIENCE'], requireSecret);
}

function loadSome<Name extends keyof Settings>(
  env: Environment,
  names: readonly Name[],
  checkProduction: (settings: Pick<Settings, Name>, problems: string[]) => void,
): Readonly<Pick<Settings, Name> & Pick<Config, 'DATA_DIR' | 'production'>> {
  const problems: string[] = [];
  const picked = Type.Pick(SETTINGS, ['NODE_ENV', 'DATA_DIR', ...names]);
  const settings = check<Pick<Settings, Name | 'NODE_ENV' | 'DATA_DIR'>>(
    picked,
    given(env, problems, names),
    '',
    problems,
  );
  const production = settings.NODE_ENV === 'production';
  if (production) checkProduction(settings, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze({ ...settings, production, DATA_DIR: path.resolve(settings.DATA_DIR) });
}

/**
 * Reads and checks the configuration.
 * @throws ConfigError that names every wrong or missing setting
 */
export function loadConfig(env: Environment, drivers: Readonly<Record<string, DriverKind>> = DRIVERS): Config {
  const problems: string[] = [];
  const values = given(env, problems);
  const settings = check<Settings>(SETTINGS, values, '', problems);
  const dataDir = path.resolve(settings.DATA_DIR ?? './.data');
  const stores = loadStores({ settings, env: values, dataDir, drivers }, problems);
  checkRouting(settings, stores, Object.keys(drivers), problems);
  const production = settings.NODE_ENV === 'production';
  if (production) checkProduction(settings, problems);
  if (settings.METRICS_PORT !== undefined && settings.METRICS_PORT === settings.PORT)
    problems.push(`METRICS_PORT: ${settings.METRICS_PORT} is PORT, too; allowed: another port, or none`);
  const config: Config = {
    ...settings,
    production,
    DATA_DIR: dataDir,
    PUBLIC_BASE_URL: settings.PUBLIC_BASE_URL?.replace(/(?<!\/)\/+$/, ''),
    STORAGE_FALLBACKS: words(settings.STORAGE_FALLBACKS),
    STORAGE_MIRRORS: words(settings.STORAGE_MIRRORS),
    stores,
    URL_SIGNING_KEYS: signingKeys(settings.URL_SIGNING_KEYS, problems),
    CORS_ORIGINS: words(settings.CORS_ORIGINS),
    EXTERNAL_URL_HOSTS: words(settings.EXTERNAL_URL_HOSTS).map((host) => host.toLowerCase()),
    FETCH_TRUSTED_HOSTS: words(settings.FETCH_TRUSTED_HOSTS),
    TRUSTED_PROXIES: words(settings.TRUSTED_PROXIES),
    ...(Object.fromEntries(ACCOUNT_SETTINGS.map((name) => [name, words(settings[name])])) as Record<
      AccountSetting,
      string[]
    >),
  };
  checkOrigins(config, problems);
  checkHosts(config, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

function checkRouting(
  settings: Settings,
  stores: readonly StoreConfig[],
  drivers: readonly string[],
  problems: string[],
): void {
  const names = stores.map((store) => store.name);
  for (const setting of ['STORAGE_PRIMARY', 'STORAGE_FALLBACKS', 'STORAGE_MIRRORS'] as const) {
    for (const name of words(settings[setting])) {
      if (!names.includes(name))
        problems.push(
          `${setting}: "${shownValue(name)}" is not a store; allowed: ${[...new Set([...drivers, ...names])].join(', ')}, or a name from STORES`,
        );
    }
  }
  for (const setting of ['STORAGE_FALLBACKS', 'STORAGE_MIRRORS'] as const) {
    const listed = words(settings[setting]);
    if (listed.includes(settings.STORAGE_PRIMARY ?? 'local'))
      problems.push(
        `${setting}: "${settings.STORAGE_PRIMARY}" is the primary store already; allowed: other stores, separated by commas`,
      );
    for (const name of new Set(listed.filter((entry, at) => listed.indexOf(entry) !== at)))
      problems.push(`${setting}: "${name}" is named twice; allowed: each store once`);
  }
}

function checkProduction(settings: Settings, problems: string[]): void {
  requireDatabase(settings, problems);
  requireSecret(settings, problems);
  refusePublished(settings, problems);
  if (
    settings.JWT_SECRET === undefined &&
    settings.JWT_JWKS_URL !== undefined &&
    settings.URL_SIGNING_KEYS === undefined
  ) {
    problems.push(
      'URL_SIGNING_KEYS is missing: without JWT_SECRET there is nothing to derive it from; give id:secret (the secret with at least 32 characters)',
    );
  }
  if (words(settings.URL_SIGNING_KEYS).some((entry) => isPublished(entry.slice(entry.indexOf(':') + 1))))
    problems.push(
      'URL_SIGNING_KEYS: a secret is published in the examples of mediakeep, so anyone can sign URLs with it; give one of your own, such as the output of: openssl rand -hex 32',
    );
}

/** JWT_SECRET and URL_SIGNING_KEYS are looked at where they are required and split. */
const LOOKED_AT = new Set(['DATABASE_URL', 'JWT_SECRET', 'URL_SIGNING_KEYS']);

function refusePublished(settings: Settings, problems: string[]): void {
  for (const [name, property] of Object.entries(SETTINGS.properties)) {
    const value: unknown = settings[name as keyof Settings];
    if ((property as { secret?: boolean }).secret !== true || LOOKED_AT.has(name) || typeof value !== 'string')
      continue;
    if (isPublished(value))
      problems.push(
        `${name} is published in the documents of mediakeep, so anyone can use it; give one of your own, such as the output of: openssl rand -hex 32`,
      );
  }
}

function requireDatabase({ DATABASE_URL }: Pick<Settings, 'DATABASE_URL'>, problems: string[]): void {
  if (DATABASE_URL === undefined)
    problems.push(
      'DATABASE_URL is missing: the embedded database is for development; with NODE_ENV=production give the URL of a PostgreSQL server (postgres://user:password@host:5432/name)',
    );
}

function requireSecret(
  { JWT_SECRET, JWT_JWKS_URL }: Pick<Settings, 'JWT_SECRET' | 'JWT_JWKS_URL'>,
  problems: string[],
): void {
  if (JWT_SECRET === undefined && JWT_JWKS_URL === undefined)
    problems.push(
      'JWT_SECRET is missing: a generated secret is for development; with NODE_ENV=production give JWT_SECRET (at least 32 characters) or JWT_JWKS_URL',
    );
  if (JWT_SECRET !== undefined && isPublished(JWT_SECRET))
    problems.push(
      'JWT_SECRET is published in the examples of mediakeep, so anyone can sign tokens with it; give one of your own, such as the output of: openssl rand -hex 32',
    );
}

function signingKeys(list: string | undefined, problems: string[]): ConfiguredKey[] {
  return words(list).map((entry) => {
    const colon = entry.indexOf(':');
    const key = { id: entry.slice(0, colon), secret: entry.slice(colon + 1) };
    if (!/^[A-Za-z0-9_-]{1,32}$/.test(key.id) || key.secret.length < 32) {
      problems.push(
        'URL_SIGNING_KEYS: an entry is not usable; allowed: id:secret, separated by commas, the id of 1-32 letters, digits, _ or -, the secret of at least 32 characters',
      );
    }
    return key;
  });
}

function checkOrigins(config: Config, problems: string[]): void {
  for (const origin of config.CORS_ORIGINS) {
    if (origin !== '*' && !/^https?:\/\/[^/\s]+$/.test(origin)) {
      problems.push(
        `CORS_ORIGINS: "${shownValue(origin)}" is not usable; allowed: origins like https://app.example.com, without a path, or *`,
      );
    }
  }
}

const HOST_NAME = /^(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?(:\d+)?|[0-9a-f:]+)$/i;

function checkHosts(config: Config, problems: string[]): void {
  for (const setting of ['FETCH_TRUSTED_HOSTS', 'EXTERNAL_URL_HOSTS'] as const) {
    for (const host of config[setting]) {
      if (!HOST_NAME.test(host))
        problems.push(
          `${setting}: "${shownValue(host)}" is not usable; allowed: host names or addresses separated by commas, without https:// and path`,
        );
    }
  }
  for (const proxy of config.TRUSTED_PROXIES) {
    if (!ipaddr.isValid(proxy) && !ipaddr.isValidCIDR(proxy))
      problems.push(
        `TRUSTED_PROXIES: "${shownValue(proxy)}" is not usable; allowed: addresses or CIDR ranges like 10.0.0.0/8, separated by commas`,
      );
  }
}
