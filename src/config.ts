import path from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import { envSchema } from 'env-schema';
import { type Static, type TObject, type TSchema, Type } from 'typebox';
import ipaddr from 'ipaddr.js';
import { SETTINGS } from './config-settings.ts';
import { DRIVERS, type DriverKind } from './storage/registry.ts';

export interface StoreConfig {
  name: string;
  driver: string;
  kind: DriverKind;
  settings: Record<string, unknown>;
}

export interface SigningKey {
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
  | 'FAL_ACCOUNTS'
  | 'TRUSTED_PROXIES';

/** All settings, checked and typed; frozen. Names are those of the environment. */
export type Config = Readonly<
  Omit<Settings, Parsed> & {
    production: boolean;
    /** Absolute. */
    DATA_DIR: string;
    /** Without a slash at the end; undefined: `http://{HOST}:{PORT}`. */
    PUBLIC_BASE_URL: string | undefined;
    STORAGE_FALLBACKS: readonly string[];
    STORAGE_MIRRORS: readonly string[];
    stores: readonly StoreConfig[];
    /** The first one signs, all of them verify. Empty: derived from the JWT secret. */
    URL_SIGNING_KEYS: readonly SigningKey[];
    CORS_ORIGINS: readonly string[];
    EXTERNAL_URL_HOSTS: readonly string[];
    FETCH_TRUSTED_HOSTS: readonly string[];
    FAL_ACCOUNTS: readonly string[];
    TRUSTED_PROXIES: readonly string[];
  }
>;

/** Settings that are wrong or missing: one line each, with the name, the problem and what is allowed. Never a value of a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/**
 * Reads and checks the configuration.
 * @throws ConfigError naming every wrong or missing setting at once.
 */
export function loadConfig(
  env: Readonly<Record<string, string | undefined>>,
  drivers: Readonly<Record<string, DriverKind>> = DRIVERS,
): Config {
  // An empty value is what `FOO=${FOO:-}` in a compose file gives; it means "not set".
  const given = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => !!entry[1]?.trim()),
  );
  const problems: string[] = [];
  const settings = check<Settings>(SETTINGS, given, '', problems);
  const dataDir = path.resolve(settings.DATA_DIR ?? './.data');
  const stores = loadStores({ settings, env: given, dataDir, drivers }, problems);
  checkRouting(settings, stores, Object.keys(drivers), problems);
  const production = settings.NODE_ENV === 'production';
  if (production) checkProduction(settings, problems);
  const config: Config = {
    ...settings,
    production,
    DATA_DIR: dataDir,
    PUBLIC_BASE_URL: settings.PUBLIC_BASE_URL?.replace(/\/+$/, ''),
    STORAGE_FALLBACKS: words(settings.STORAGE_FALLBACKS),
    STORAGE_MIRRORS: words(settings.STORAGE_MIRRORS),
    stores,
    URL_SIGNING_KEYS: signingKeys(settings.URL_SIGNING_KEYS, problems),
    CORS_ORIGINS: words(settings.CORS_ORIGINS),
    EXTERNAL_URL_HOSTS: words(settings.EXTERNAL_URL_HOSTS).map((host) => host.toLowerCase()),
    FETCH_TRUSTED_HOSTS: words(settings.FETCH_TRUSTED_HOSTS),
    FAL_ACCOUNTS: words(settings.FAL_ACCOUNTS),
    TRUSTED_PROXIES: words(settings.TRUSTED_PROXIES),
  };
  checkOrigins(config, problems);
  checkHosts(config, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

function words(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
}

/** Validates `values` against a schema whose property names, behind `prefix`, are environment variables. */
function check<T>(schema: TObject, values: Readonly<Record<string, string>>, prefix: string, problems: string[]): T {
  const data: Record<string, unknown> = {};
  for (const name of Object.keys(schema.properties)) {
    const value = values[prefix + name];
    if (value !== undefined) data[name] = typeof value === 'string' ? value.trim() : value;
  }
  const ajv = new Ajv({ allErrors: true, coerceTypes: true, useDefaults: true, removeAdditional: true, strict: false });
  try {
    return envSchema<T & Record<string, unknown>>({
      schema: { ...schema },
      data,
      env: false,
      ajv,
    });
  } catch (error) {
    const errors = (error as { errors?: ErrorObject[] }).errors;
    if (!errors) throw error;
    for (const problem of errors) describe(problem, schema, data, prefix, problems);
    // Never used: a problem has been noted, so loadConfig throws in the end.
    return data as T;
  }
}

function describe(
  error: ErrorObject,
  schema: TObject,
  data: Record<string, unknown>,
  prefix: string,
  problems: string[],
): void {
  if (error.keyword === 'anyOf') return;
  const missing = error.keyword === 'required' ? String(error.params['missingProperty']) : undefined;
  const name = missing ?? error.instancePath.slice(1).split('/')[0] ?? '';
  const property = (
    schema.properties as Record<string, TSchema & { description?: string; secret?: boolean; allowed?: string }>
  )[name];
  const shown = property?.secret ? 'the value' : JSON.stringify(data[name]);
  const allowed = property?.allowed ?? allowedValues(error);
  const line = missing
    ? `${prefix}${name} is missing: ${property?.description ?? 'it is required'}`
    : `${prefix}${name}: ${shown} is not usable; allowed: ${allowed}`;
  if (!problems.includes(line)) problems.push(line);
}

function allowedValues(error: ErrorObject): string {
  if (error.keyword === 'enum') return (error.params['allowedValues'] as unknown[]).join(', ');
  if (error.keyword === 'minimum' || error.keyword === 'maximum')
    return `a number ${error.params['comparison']} ${error.params['limit']}`;
  if (error.keyword === 'type')
    return error.params['type'] === 'integer' ? 'a whole number' : `a ${error.params['type']}`;
  if (error.keyword === 'minLength') return `at least ${error.params['limit']} characters`;
  return error.message ?? 'see docs/configuration.md';
}

const STORE_NAME = /^[a-z][a-z0-9-]{0,39}$/;

function loadStores(
  {
    settings,
    env,
    dataDir,
    drivers,
  }: {
    settings: Settings;
    env: Readonly<Record<string, string>>;
    dataDir: string;
    drivers: Readonly<Record<string, DriverKind>>;
  },
  problems: string[],
): StoreConfig[] {
  const wanted = new Map<string, string>();
  for (const entry of words(settings.STORES)) {
    const [name = '', driver = ''] = entry.split(':');
    if (!STORE_NAME.test(name) || !(driver in drivers)) {
      problems.push(
        `STORES: "${entry}" is not usable; allowed: name:driver, a name of a-z, 0-9 and '-', and one of the drivers ${Object.keys(drivers).join(', ')}`,
      );
    } else if (name in drivers || wanted.has(name)) {
      problems.push(`STORES: the name "${name}" is taken; allowed: a name that no driver and no other store bears`);
    } else wanted.set(name, driver);
  }
  const defaultsOf = (driver: string) => drivers[driver]?.defaults?.({ dataDir }) ?? {};
  const isComplete = (driver: string) => {
    const { required = [] } = drivers[driver]?.settings ?? {};
    const given = new Set(Object.keys(defaultsOf(driver)));
    return required.every((name) => given.has(name) || env[`${driver.toUpperCase()}_${name}`] !== undefined);
  };
  // A default store exists when something routes to it, and when all that it needs is set: items may still lie there.
  const routed = [
    settings.STORAGE_PRIMARY ?? 'local',
    ...words(settings.STORAGE_FALLBACKS),
    ...words(settings.STORAGE_MIRRORS),
    ...Object.keys(drivers).filter((driver) => isComplete(driver)),
  ];
  for (const name of routed) if (name in drivers && !wanted.has(name)) wanted.set(name, name);
  return [...wanted].map(([name, driver]) => {
    const kind = drivers[driver];
    if (!kind) throw new Error(`no driver ${driver}`);
    const prefix = `${name.toUpperCase().replaceAll('-', '_')}_`;
    const defaults = name === driver ? defaultsOf(driver) : {};
    const values = {
      ...Object.fromEntries(Object.entries(defaults).map(([key, value]) => [prefix + key, value])),
      ...env,
    };
    return { name, driver, kind, settings: check<Record<string, unknown>>(kind.settings, values, prefix, problems) };
  });
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
          `${setting}: "${name}" is not a store; allowed: ${[...new Set([...drivers, ...names])].join(', ')}, or a name from STORES`,
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
  if (settings.DATABASE_URL === undefined) {
    problems.push(
      'DATABASE_URL is missing: the embedded database is for development; with NODE_ENV=production give the URL of a PostgreSQL server (postgres://user:password@host:5432/name)',
    );
  }
  if (settings.JWT_SECRET === undefined && settings.JWT_JWKS_URL === undefined) {
    problems.push(
      'JWT_SECRET is missing: a made-up secret is for development; with NODE_ENV=production give JWT_SECRET (at least 32 characters) or JWT_JWKS_URL',
    );
  }
  if (
    settings.JWT_SECRET === undefined &&
    settings.JWT_JWKS_URL !== undefined &&
    settings.URL_SIGNING_KEYS === undefined
  ) {
    problems.push(
      'URL_SIGNING_KEYS is missing: without JWT_SECRET there is nothing to derive it from; give id:secret (the secret with at least 32 characters)',
    );
  }
}

function signingKeys(list: string | undefined, problems: string[]): SigningKey[] {
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
        `CORS_ORIGINS: "${origin}" is not usable; allowed: origins like https://app.example.com, without a path, or *`,
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
          `${setting}: "${host}" is not usable; allowed: host names or addresses separated by commas, without https:// and path`,
        );
    }
  }
  for (const proxy of config.TRUSTED_PROXIES) {
    if (!ipaddr.isValid(proxy) && !ipaddr.isValidCIDR(proxy))
      problems.push(
        `TRUSTED_PROXIES: "${proxy}" is not usable; allowed: addresses or CIDR ranges like 10.0.0.0/8, separated by commas`,
      );
  }
}

/** The settings of one kind of store, for the documentation. */
export function storeSettings(): Record<string, TObject> {
  return Object.fromEntries(
    Object.entries(DRIVERS).map(([name, kind]) => [name, Type.Object(kind.settings.properties)]),
  );
}
