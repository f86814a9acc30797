import type { VerifiedFiles } from './bytes/verified-files.ts';
import type { Logger } from 'pino';
import type { BackgroundParts } from '../background/parts.ts';
import type { Db } from '../db/database.ts';
import type { ComfyClient } from '../sources/comfyui/client.ts';
import type { UrlFetcher } from '../sources/fetch/fetch-url.ts';
import type { JsonLimits } from '../json/scan.ts';
import type { Stores } from '../storage/stores/stores.ts';
import type { BodyCache } from './bytes/body-cache.ts';

/** What an ingest reports to the metrics; a recorded generation failure counts as `recorded`. */
export interface IngestEvent {
  source: string;
  outcome: string;
  mediaType: string;
  bytes: number;
  seconds: number;
}

export interface DomainMetrics {
  ingested(event: IngestEvent): void;
  generationFailed(toolName: string, provider: string): void;
  /** `accepted`, `duplicate`, `parked` or an error code. */
  webhook(provider: string, outcome: string): void;
  /** A store returned bytes whose hash differs from the stored one. */
  corruptRead(store: string): void;
}

/** Dependencies of the domain functions. */
export interface Deps {
  db: Db;
  stores: Stores;
  bodyCache: BodyCache;
  verifiedFiles: VerifiedFiles;
  fetcher: UrlFetcher;
  /** The operator's own ComfyUI, when one is configured. */
  comfyui: ComfyClient | undefined;
  log: Logger;
  /** Background work of this process. */
  background: BackgroundParts;
  metrics: DomainMetrics;
  /** Called after a commit that left copies for a worker to make; returns at once. */
  copiesWanted: () => void;
  limits: { maxUploadBytes: number; json: JsonLimits };
  defaultVisibility: 'private' | 'public';
  /** Without a trailing slash. */
  publicBaseUrl: string;
}
