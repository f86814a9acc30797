import { SETTINGS } from '../../src/config/settings.ts';
import { storeSettings } from '../../src/config/stores.ts';

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

/** docs/configuration.md, from the schemas of the settings. */
export function configuration(): string {
  const stores = Object.entries(storeSettings()).map(([driver, settings]) => {
    const prefix = `${driver.toUpperCase()}_`;
    return `### \`${driver}\`\n\n${table(settings.properties, settings.required ?? [], prefix)}`;
  });
  return `<!-- Generated from src/config/settings.ts and src/storage/stores/registry.ts by 'npm run docs'; do not edit. -->
# Configuration

Settings are environment variables. An empty value counts as not set. A wrong or missing value stops the start with a message
that names it and says what is allowed; all problems are reported at once. A secret may stand in a file instead, as orchestrators mount
them: \`JWT_SECRET_FILE=/run/secrets/jwt\`, \`DATABASE_URL_FILE\`, \`S3_SECRET_ACCESS_KEY_FILE\` and so on.

${table(SETTINGS.properties, SETTINGS.required ?? [])}

With \`NODE_ENV=production\`, \`DATABASE_URL\` and \`JWT_SECRET\` (or \`JWT_JWKS_URL\`) must be given: the embedded database and a
generated secret are for development. A secret that is published in this repository is refused.

## The database URL

Characters of user and password other than letters, digits and \`-._~\` must be percent-encoded: \`#\` as \`%23\`, \`/\` as \`%2F\`, \`?\` as
\`%3F\`, \`%\` as \`%25\`, \`@\` as \`%40\`. TLS is set in the URL's query, with the meaning that libpq (psql) gives it, for all connections and
commands:

| in \`DATABASE_URL\` | what it does |
|---|---|
| nothing, or \`sslmode=disable\` | no TLS |
| \`sslmode=require\` | TLS; the certificate is not verified. With \`sslrootcert\`, as \`verify-ca\` |
| \`sslmode=verify-ca\` | TLS; the certificate must come from the CA in \`sslrootcert\` |
| \`sslmode=verify-full\` | the same, and it must be issued for the host name in the URL. Without \`sslrootcert\`, a public CA that Node knows |
| \`sslrootcert=/path/ca.pem\` | the CA's certificate in PEM form; \`system\`: the CAs of the operating system, with \`verify-full\` |
| \`sslcert=/path/client.pem\`, \`sslkey=/path/client.key\` | a client certificate, if the server asks for one |

\`PGSSLMODE\`, \`PGSSLROOTCERT\`, \`PGSSLCERT\` and \`PGSSLKEY\` stand in for what the URL does not say. \`prefer\` and \`allow\` are refused, because
they go on without TLS. Sockets have no TLS. Example:
\`postgres://media:p%23ss@db.example:5432/media?sslmode=verify-full&sslrootcert=/etc/mediakeep/ca.pem\`.

## Stores

A store's settings are named \`{STORE}_{OPTION}\`. The store that bears its driver's name reads the names below; a store \`archive\`
from \`STORES=archive:local\` reads \`ARCHIVE_ROOT\` and so on. \`LOCAL_ROOT\` defaults to \`$DATA_DIR/volume\`; further stores must
name theirs.

${stores.join('\n\n')}
`;
}
