import { createVerifiedFiles } from '../src/domain/bytes/verified-files.ts';
import { readFile, writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { buildApp } from '../src/app.ts';
import { loadConfig } from '../src/config/load-config.ts';
import { openDatabase } from '../src/db/database.ts';
import { createSigner } from '../src/domain/delivery/signing.ts';
import { openapiDocument } from '../src/http/openapi.ts';
import { BackgroundParts } from '../src/background/parts.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { createRenderedItems } from '../src/http/responses/present.ts';
import { createBodyCache } from '../src/domain/bytes/body-cache.ts';
import { createUrlFetcher } from '../src/sources/fetch/fetch-url.ts';
import type { Stores } from '../src/storage/stores/stores.ts';

// Writes openapi.yaml from the routes' schemas; with --check fails when the committed file differs. Needs no database.
const file = new URL('../openapi.yaml', import.meta.url);
const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const config = loadConfig({ LOG_LEVEL: 'silent', JWT_SECRET: 'x'.repeat(32) });
const log = pino({ level: 'silent' });
const database = openDatabase({
  connectionString: 'postgres://nobody@127.0.0.1:1/none',
  poolMax: 2,
  statementTimeoutMs: 0,
});
const unused: Stores = {
  get: () => {
    throw new Error('no stores here');
  },
  has: () => false,
  get primary(): never {
    throw new Error('no stores here');
  },
  fallbacks: [],
  mirrors: [],
  all: [],
  close: async () => {},
};
const metrics = createMetrics(version);
const app = await buildApp({
  delivery: 'redirect',
  webhooks: {},
  comfyui: undefined,
  copiesWanted: () => {},
  config,
  jwtSecret: config.JWT_SECRET,
  signer: createSigner([{ id: 'none', secret: 'x'.repeat(32) }]),
  db: database.db,
  stores: unused,
  rendered: createRenderedItems('http://127.0.0.1:8080'),
  bodyCache: createBodyCache(0),
  verifiedFiles: createVerifiedFiles(),
  fetcher: createUrlFetcher({ trustedHosts: [], maxBytes: 1 }),
  log,
  background: new BackgroundParts(log),
  metrics: metrics.domain,
  allMetrics: metrics,
  limits: { maxUploadBytes: config.MAX_UPLOAD_BYTES, json: { structureBytes: 0, values: 0 } },
  defaultVisibility: config.DEFAULT_VISIBILITY,
  publicBaseUrl: 'http://127.0.0.1:8080',
  urlTtlSeconds: config.URL_TTL_SECONDS,
  externalHosts: [],
  version,
});
await app.ready();
const text = `# Generated from the routes' schemas by 'npm run openapi'; do not edit.\n${stringify(openapiDocument(app), { lineWidth: 120, aliasDuplicateObjects: false })}`;
await app.close();
await database.close();
if (process.argv.includes('--check')) {
  if ((await readFile(file, 'utf8').catch(() => '')) !== text) {
    process.stderr.write("openapi.yaml differs from the routes' schemas; run 'npm run openapi' and commit it\n");
    process.exit(1);
  }
} else await writeFile(file, text);
