import type pg from 'pg';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { PartState, PartsObserver } from '../background/parts.ts';
import type { DomainMetrics } from '../domain/deps.ts';
import type { Stores } from '../storage/stores/stores.ts';
import type { StoreObserver } from '../storage/stores/store.ts';

export interface Metrics {
  registry: Registry;
  domain: DomainMetrics;
  store: StoreObserver;
  background: PartsObserver;
  /** Counts an uncaught error; `part`: the background part that it came from, or `none`. */
  uncaught(part: string): void;
  request(method: string, route: string, status: number, seconds: number): void;
  /** Exposes a pool's connections. */
  watchPool(pool: pg.Pool): void;
  /** Exposes the state of the stores' breakers, and the number of pending copies. */
  watchStores(stores: Stores, countPending: () => Promise<number | undefined>): void;
  /** Exposes the number of pending fetches, and how many are overdue. */
  watchFetches(count: () => Promise<{ waiting: number; overdue: number } | undefined>): void;
  /** Exposes how many changes the totals lack. */
  watchRollups(count: () => Promise<number | undefined>): void;
  /** Exposes which background parts fail. */
  watchBackground(states: () => readonly PartState[]): void;
  /** Exposes how many bytes large JSON bodies hold. */
  watchJsonBodies(held: () => number): void;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Kept by prom-client for its first users: gauges with the suffix of counters. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/**
 * Metrics of one process. Ours begin with `mediakeep_`, and follow OpenTelemetry where it has a name; those of the process and of
 * Node are prom-client's own.
 */
export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const requests = new Histogram({
    name: 'mediakeep_http_server_request_duration_seconds',
    help: 'Requests by route and status.',
    labelNames: ['http_request_method', 'http_route', 'http_response_status_code'],
    buckets: SECONDS,
    registers,
  });
  const ingests = new Histogram({
    name: 'mediakeep_ingest_duration_seconds',
    help: 'Ingests by source and outcome.',
    labelNames: ['source', 'outcome', 'media_type'],
    buckets: SECONDS,
    registers,
  });
  const ingestBytes = new Counter({
    name: 'mediakeep_ingest_bytes_total',
    help: 'Bytes of stored items.',
    labelNames: ['source', 'media_type'],
    registers,
  });
  const failed = new Counter({
    name: 'mediakeep_failed_generations_total',
    help: 'Failed generations that were recorded, by tool and provider.',
    labelNames: ['tool', 'provider'],
    registers,
  });
  const webhooks = new Counter({
    name: 'mediakeep_webhooks_total',
    help: 'Webhooks by provider and outcome: accepted, duplicate, parked, or an error code.',
    labelNames: ['provider', 'outcome'],
    registers,
  });
  const corruptReads = new Counter({
    name: 'mediakeep_corrupt_reads_total',
    help: 'Reads whose bytes did not hash to what was stored.',
    labelNames: ['store'],
    registers,
  });
  const operations = new Histogram({
    name: 'mediakeep_storage_operation_duration_seconds',
    help: 'Operations on stores; outcome is ok or an error code.',
    labelNames: ['store', 'operation', 'outcome'],
    buckets: SECONDS,
    registers,
  });
  const restarts = new Counter({
    name: 'mediakeep_background_restarts_total',
    help: 'Restarts of background parts after a failure.',
    labelNames: ['part'],
    registers,
  });
  const uncaught = new Counter({
    name: 'mediakeep_uncaught_errors_total',
    help: 'Errors that nothing caught and that the process has survived, by the background part they came from, or none.',
    labelNames: ['part'],
    registers,
  });
  new Gauge({
    name: 'mediakeep_build_info',
    help: 'Version of the service.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.version }, 1);
  const label = boundedLabels(200);
  return {
    registry,
    domain: {
      ingested({ source, outcome, mediaType, bytes, seconds }) {
        ingests.observe({ source, outcome, media_type: mediaType }, seconds);
        if (outcome === 'stored') ingestBytes.inc({ source, media_type: mediaType }, bytes);
      },
      generationFailed: (tool, provider) =>
        failed.inc({ tool: label('tool', tool), provider: label('provider', provider) }),
      webhook: (provider, outcome) => webhooks.inc({ provider, outcome }),
      corruptRead: (store) => corruptReads.inc({ store }),
    },
    store: (store, operation, outcome, seconds) => operations.observe({ store, operation, outcome }, seconds),
    background: { restarted: (part) => restarts.inc({ part }) },
    uncaught: (part) => uncaught.inc({ part }),
    request: (method, route, status, seconds) =>
      requests.observe({ http_request_method: method, http_route: route, http_response_status_code: status }, seconds),
    watchStores(stores, countPending) {
      new Gauge({
        name: 'mediakeep_storage_breaker_open',
        help: '1 while a store is left alone because it failed several times in a row.',
        labelNames: ['store'],
        registers,
        collect() {
          for (const store of stores.all) this.set({ store: store.name }, store.available() ? 0 : 1);
        },
      });
      new Gauge({
        name: 'mediakeep_pending_copies',
        help: 'Copies that are still to be made: mirrors, and items on their way home.',
        registers,
        async collect() {
          // A scrape while the database is unavailable still shows everything else.
          this.set((await countPending()) ?? Number.NaN);
        },
      });
    },
    watchFetches(count) {
      new Gauge({
        name: 'mediakeep_pending_fetches',
        help: 'Items whose bytes are still to be fetched; overdue: nobody has tried for two minutes after their time.',
        labelNames: ['state'],
        registers,
        async collect() {
          const counts = await count();
          this.set({ state: 'waiting' }, counts?.waiting ?? Number.NaN);
          this.set({ state: 'overdue' }, counts?.overdue ?? Number.NaN);
        },
      });
    },
    watchRollups(count) {
      new Gauge({
        name: 'mediakeep_uncounted_changes',
        help: 'Changes that the totals and tag counts do not have yet; 10000 stands for that many or more.',
        registers,
        async collect() {
          this.set((await count()) ?? Number.NaN);
        },
      });
    },
    watchBackground(states) {
      new Gauge({
        name: 'mediakeep_background_part_up',
        help: 'Background parts of this process: 1 while one works, 0 while it fails and is retried.',
        labelNames: ['part'],
        registers,
        collect() {
          for (const { name, state } of states()) this.set({ part: name }, state === 'running' ? 1 : 0);
        },
      });
    },
    watchJsonBodies(held) {
      new Gauge({
        name: 'mediakeep_json_bodies_bytes',
        help: 'What the JSON bodies from 1 MiB on that are being read or stored hold of JSON_MEMORY_BYTES.',
        registers,
        collect() {
          this.set(held());
        },
      });
    },
    watchPool(pool) {
      new Gauge({
        name: 'mediakeep_db_client_connections',
        help: 'Connections of the pool by state; waiting are callers without one.',
        labelNames: ['state'],
        registers,
        collect() {
          this.set({ state: 'idle' }, pool.idleCount);
          this.set({ state: 'used' }, pool.totalCount - pool.idleCount);
          this.set({ state: 'waiting' }, pool.waitingCount);
        },
      });
    },
  };
}

/** Callers choose these values; without a bound the metrics would grow without end. */
function boundedLabels(max: number): (name: string, value: string) => string {
  const seen = new Map<string, Set<string>>();
  return (name, value) => {
    const values = seen.get(name) ?? new Set();
    seen.set(name, values);
    if (!values.has(value) && values.size >= max) return 'other';
    values.add(value);
    return value.slice(0, 100);
  };
}
