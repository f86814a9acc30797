import { createVerifiedFiles } from '../domain/bytes/verified-files.ts';
import type { Logger } from 'pino';
import type { AppDeps } from '../app.ts';
import { measured, onDemand } from '../background/observe.ts';
import { BackgroundParts } from '../background/parts.ts';
import type { Config } from '../config/load-config.ts';
import { countFetches } from '../db/jobs/fetches.ts';
import { requestCopies } from '../db/queue/enqueue.ts';
import { countPending } from '../db/objects/locations.ts';
import { countBehind } from '../db/search/rollups.ts';
import { createSigner, derivedSigningKeys } from '../domain/delivery/signing.ts';
import { createBodyCache } from '../domain/bytes/body-cache.ts';
import { createRenderedItems } from '../http/responses/present.ts';
import type { RouteDeps } from '../http/route-deps.ts';
import type { SenderTrust, WebhookTrust } from '../http/webhooks/webhook-sender.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { openServices } from './open-database.ts';
import { createComfyClient } from '../sources/comfyui/client.ts';
import { createUrlFetcher } from '../sources/fetch/fetch-url.ts';
import { WEBHOOKS, type WebhookProvider, hasKeySet } from '../sources/providers/registry.ts';
import { createKeySource } from '../sources/webhooks/key-source.ts';

export interface ServiceOptions {
  connectionString: string;
  jwtSecret: string | undefined;
  log: Logger;
  version: string;
}

export interface Service {
  deps: RouteDeps;
  appDeps: AppDeps;
  close(): Promise<void>;
}

/** Creates the parts of one process: database, stores, fetcher, signer, metrics. */
export async function createService(
  config: Config,
  { connectionString, jwtSecret, log, version }: ServiceOptions,
): Promise<Service> {
  const metrics = createMetrics(version);
  const background = new BackgroundParts(log, metrics.background);
  const services = await openServices(config, connectionString, log, { metrics, background });
  const { db } = services.database;
  const fetches = measured(background, 'metrics-fetches', () => countFetches(db));
  const uncounted = measured(background, 'metrics-totals', () => countBehind(db));
  const pending = measured(background, 'metrics-copies', () => countPending(db));
  metrics.watchBackground(() => background.states());
  metrics.watchPool(services.database.pool);
  metrics.watchFetches(fetches.read);
  metrics.watchRollups(uncounted.read);
  metrics.watchStores(services.stores, pending.read);
  // Otherwise workers look for copies every minute.
  const wakeUp = onDemand(background, 'copies-wake-up', () => requestCopies(db), { everyMs: 1000 });
  const host = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;
  const fetcher = createUrlFetcher({
    trustedHosts: config.FETCH_TRUSTED_HOSTS,
    maxBytes: config.MAX_UPLOAD_BYTES,
    totalTimeoutMs: config.FETCH_TIMEOUT_SECONDS * 1000,
  });
  const comfyui =
    config.COMFYUI_URL === undefined
      ? undefined
      : createComfyClient({
          url: config.COMFYUI_URL,
          maxBytes: config.MAX_UPLOAD_BYTES,
          timeoutMs: config.FETCH_TIMEOUT_SECONDS * 1000,
          deadlineSeconds: config.COMFYUI_DEADLINE_SECONDS,
        });
  const keys =
    config.URL_SIGNING_KEYS.length > 0
      ? config.URL_SIGNING_KEYS
      : jwtSecret === undefined
        ? []
        : derivedSigningKeys(jwtSecret);
  const publicBaseUrl = config.PUBLIC_BASE_URL ?? `http://${host}:${config.PORT}`;
  const deps: RouteDeps = {
    db,
    stores: services.stores,
    rendered: createRenderedItems(publicBaseUrl),
    bodyCache: createBodyCache(config.CONTENT_CACHE_BYTES),
    verifiedFiles: createVerifiedFiles(),
    fetcher,
    comfyui,
    log,
    metrics: metrics.domain,
    signer: createSigner(keys),
    background,
    copiesWanted: wakeUp.want,
    limits: {
      maxUploadBytes: config.MAX_UPLOAD_BYTES,
      json: { structureBytes: config.JSON_STRUCTURE_BYTES, values: config.JSON_MAX_VALUES },
    },
    defaultVisibility: config.DEFAULT_VISIBILITY,
    publicBaseUrl,
    webhooks: webhookTrust(config),
    urlTtlSeconds: config.URL_TTL_SECONDS,
    delivery: config.DELIVERY,
    externalHosts: config.EXTERNAL_URL_HOSTS,
  };
  return {
    deps,
    appDeps: { ...deps, config, jwtSecret, allMetrics: metrics, version },
    close: async () => {
      await fetcher.close();
      await comfyui?.close();
      await Promise.all([wakeUp, fetches, uncounted, pending].map((part) => part.stop()));
      await services.close();
    },
  };
}

/** The settings of each webhook in the registry. */
function webhookTrust(config: Config): WebhookTrust {
  const senders = WEBHOOKS.map((webhook): [WebhookProvider, SenderTrust] => {
    const { name, secret: setting } = webhook;
    const secret = config[setting.name] ?? ('fallback' in setting ? config[setting.fallback] : undefined);
    if (!hasKeySet(webhook)) return [name, { secret }];
    const url = config[webhook.proof.url.name];
    const accounts = config[webhook.proof.accounts.name];
    return [
      name,
      {
        secret,
        keys: url === undefined ? undefined : createKeySource(url),
        accounts: accounts.length > 0 ? accounts : undefined,
      },
    ];
  });
  return Object.fromEntries(senders);
}
