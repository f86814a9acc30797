import { readFileSync } from 'node:fs';
import { type ConnectionOptions, getCACertificates } from 'node:tls';
import type pg from 'pg';
import { codeOf } from '../../errors.ts';

/** A database URL that cannot be used. The message says how to correct it and never shows user or password. */
export class ConnectionUrlError extends Error {
  override readonly name = 'ConnectionUrlError';
}

const MODES = new Set(['disable', 'require', 'verify-ca', 'verify-full']);
/** `no-verify` is node-postgres's word for what libpq means by `require`. */
const SYNONYMS: Readonly<Record<string, string>> = { 'no-verify': 'require' };
const TLS_PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'sslnegotiation'];
/** Where libpq takes them from as well. A value in the URL comes first. */
const VARIABLES: Readonly<Record<string, string>> = {
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
};

/**
 * What pg needs to connect. The TLS parameters of the URL are evaluated here, as libpq does, because pg takes `require` and
 * `verify-ca` for `verify-full`.
 * @throws ConnectionUrlError
 */
export function connectionConfig(url: string): Pick<pg.ClientConfig, 'connectionString' | 'ssl'> {
  const parsed = checkedUrl(url);
  const [plain = '', query = ''] = split(url, '?');
  const others = query.split('&').filter((part) => !/^(?:ssl(?!negotiation)|uselibpqcompat)/i.test(part));
  const socket = (parsed.searchParams.get('host') ?? decodeURIComponent(parsed.hostname)).startsWith('/');
  return {
    connectionString: others.join('&') === '' ? plain : `${plain}?${others.join('&')}`,
    // The server offers no TLS on its socket, and libpq asks for none there.
    ssl: socket ? false : tlsOptions(parsed.searchParams),
  };
}

function checkedUrl(url: string): URL {
  if (url.includes('#')) throw unescaped('#');
  if (/%(?![0-9a-f]{2})/i.test(url)) throw unescaped('%');
  const [, query = ''] = split(url, '?');
  const [authority = ''] = url.replace(/^[a-z]+:\/\//i, '').split(/[/?]/, 1);
  const path = url.slice(url.indexOf(authority) + authority.length).split('?', 1)[0] ?? '';
  // What follows an unescaped / or ? of a password looks like a path or a query, with the @ that ends the password.
  if (path.includes('@')) throw unescaped('/');
  if (query.split('&').some((part) => split(part, '=')[0]?.includes('@') || !known(part))) throw unescaped('?');
  try {
    decodeURIComponent(url);
    // An empty host stands for the default or for `host=` in the query, which URL does not know.
    return new URL(url.replace('@/', '@localhost/'));
  } catch {
    // Its message repeats the input.
  }
  throw new ConnectionUrlError(
    'the value cannot be read as a URL. It has the form postgres://user:password@host:5432/name, with one host; characters of user and password other than letters, digits and -._~ must be percent-encoded (# as %23, / as %2F, ? as %3F, % as %25, @ as %40)',
  );
}

/** A value with an `@` is believed only for parameters that may hold one. */
function known(part: string): boolean {
  const [name = '', value = ''] = split(part, '=');
  return !value.includes('@') || /^(?:user|password|host|options|application_name)$/.test(name);
}

function unescaped(character: '#' | '/' | '?' | '%'): ConnectionUrlError {
  const encoded = encodeURIComponent(character);
  return new ConnectionUrlError(
    `the URL holds a "${character}" that is not percent-encoded, most likely in its password: write ${encoded} instead (# as %23, / as %2F, ? as %3F, % as %25, @ as %40)`,
  );
}

function split(text: string, separator: string): [string, string] | [string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function tlsOptions(parameters: URLSearchParams): ConnectionOptions | false {
  for (const name of parameters.keys()) {
    if (/^ssl/i.test(name) && !TLS_PARAMETERS.includes(name))
      throw new ConnectionUrlError(`the parameter ${name} is not supported; TLS has ${TLS_PARAMETERS.join(', ')}`);
  }
  const given = (name: string) => parameters.get(name) ?? (process.env[VARIABLES[name] ?? ''] || undefined);
  const rootFile = given('sslrootcert');
  const asked = given('sslmode');
  const direct = parameters.get('sslnegotiation') === 'direct';
  // libpq would try TLS and go on without it; we do not try. With a root certificate or `direct`, TLS is meant.
  const mode =
    asked === undefined ? (rootFile !== undefined || direct ? 'require' : 'disable') : (SYNONYMS[asked] ?? asked);
  if (!MODES.has(mode)) {
    throw new ConnectionUrlError(
      `sslmode=${mode} is not supported. Write sslmode=disable (no TLS), require (TLS, the certificate is not verified), verify-ca (its chain is verified) or verify-full (its chain and host name are)`,
    );
  }
  if (mode === 'disable') return false;
  if (mode === 'verify-ca' && (rootFile === undefined || rootFile === 'system'))
    throw new ConnectionUrlError(
      'sslmode=verify-ca needs sslrootcert=/path/ca.pem, the certificate of the CA; with a public CA use sslmode=verify-full',
    );
  const ca =
    rootFile === undefined ? undefined : rootFile === 'system' ? getCACertificates('system') : certificates(rootFile);
  const [cert, key] = (['sslcert', 'sslkey'] as const).map((name) => {
    const file = given(name);
    return file === undefined ? undefined : contents(name, file);
  });
  // libpq verifies the chain with `require`, too, when it is given a root certificate.
  const verifies = mode !== 'require' || rootFile !== undefined;
  return {
    rejectUnauthorized: verifies,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(verifies && mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  };
}

function certificates(file: string): string {
  const text = contents('sslrootcert', file);
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new ConnectionUrlError(`sslrootcert: the file ${file} holds no certificate in PEM form`);
  return text;
}

function contents(parameter: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConnectionUrlError(
      `${parameter}: the file ${file} cannot be read (${codeOf(error)}); correct the path, or let the user that runs mediakeep read it`,
    );
  }
}
