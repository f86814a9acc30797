import type { Json, JsonObject } from '../json/json.ts';
import type { ColumnType, Generated, GeneratedAlways, JSONColumnType } from 'kysely';
import type { GeneratedImagesTable, NullableJson, NullableTimestamp, Timestamp } from './item-columns.ts';
import type {
  MediaRollupCountsTable,
  MediaRollupItemsTable,
  MediaRollupMarksTable,
  MediaRollupScopesTable,
  MediaRollupWalkTable,
} from './rollup-tables.ts';

export interface MediaLocationsTable {
  media_id: string;
  store: string;
  key: string;
  bytes: ColumnType<string, number, number>;
  sha256: string | null;
  owned: Generated<boolean>;
  state: Generated<'stored' | 'pending' | 'missing' | 'corrupt'>;
  verified_at: NullableTimestamp;
  created_at: Timestamp;
  /** Why a `pending` copy is wanted: as a mirror, or as failback to the item's own store. */
  purpose: 'mirror' | 'home' | null;
  attempts: Generated<number>;
  next_attempt_at: NullableTimestamp;
  last_error: string | null;
}

export interface FormerKeysTable {
  key: string;
  media_id: string;
}

export interface LeasesTable {
  name: string;
  holder: string;
  leased_until: Timestamp;
}

export interface StorageIntentsTable {
  store: string;
  key: string;
  leased_until: Timestamp;
  marked_at: NullableTimestamp;
  created_at: Timestamp;
}

export interface IdempotencyKeysTable {
  caller: string;
  key: string;
  attempt: string;
  fingerprint: string | null;
  response: NullableJson;
  locked_until: Timestamp;
  expires_at: Timestamp;
  created_at: Timestamp;
}

export interface ScenesTable {
  project_id: string;
  scene_id: string;
  owner: string;
  last_version: number;
  current_item_id: string | null;
  created_at: Timestamp;
}

export interface StoreIdentitiesTable {
  store: string;
  identity: string;
  created_at: Timestamp;
}

export interface UploadsTable {
  id: string;
  user_id: string;
  store: string;
  key: string;
  home: string | null;
  content_type: string;
  bytes: ColumnType<string, number, number>;
  fields: JSONColumnType<JsonObject, string, string>;
  item_id: string | null;
  expires_at: Timestamp;
  created_at: Timestamp;
}

export type JobStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'canceled';

export interface GenerationJobsTable {
  provider: string;
  job_id: string;
  user_id: string;
  status: Generated<JobStatus>;
  progress: number | null;
  error: string | null;
  error_class: string | null;
  fields: JSONColumnType<JsonObject, string, string>;
  timings: JSONColumnType<JsonObject, string, string>;
  poll_at: NullableTimestamp;
  poll_until: NullableTimestamp;
  started_at: NullableTimestamp;
  completed_at: NullableTimestamp;
  created_at: Timestamp;
  updated_at: Timestamp;
}

export interface RunsTable {
  id: string;
  user_id: string;
  input_text: string;
  transformed_text: string | null;
  schema: string | null;
  execution_mode: string | null;
  safety_level: string | null;
  metadata: JSONColumnType<JsonObject, string | undefined, string>;
  store: string;
  completed_at: NullableTimestamp;
  /** Counts changes of the content of metadata.json. */
  revision: Generated<number>;
  /** The revision in the written metadata.json. */
  written_revision: Generated<number>;
  /** The texts' separate files must be written, too. */
  texts_due: Generated<boolean>;
  /** When a worker writes the files, unless they were written before. */
  due_at: NullableTimestamp;
  attempts: Generated<number>;
  last_error: string | null;
  /** When a write ended without a clear outcome. */
  uncertain_at: NullableTimestamp;
  /** Size of the last written metadata.json. */
  metadata_bytes: Generated<string>;
  written_at: NullableTimestamp;
  created_at: Timestamp;
  updated_at: Timestamp;
}

export interface JobOutputsTable {
  provider: string;
  job_id: string;
  identity: string;
  media_id: string;
}

export interface FetchesTable {
  media_id: string;
  sources: JSONColumnType<Json[], string, string>;
  options: JSONColumnType<JsonObject, string, string>;
  /** The best of its places needs no network. */
  at_hand: Generated<boolean>;
  expires_at: NullableTimestamp;
  next_attempt_at: Timestamp;
  attempts: Generated<number>;
  /** Counts everything that invalidates a running attempt: takings, further places, retries. */
  revision: Generated<number>;
  last_error: string | null;
  gave_up_at: NullableTimestamp;
  created_at: Timestamp;
}

export interface WebhookDeliveriesTable {
  id: Generated<string>;
  provider: string;
  delivery_key: string;
  job_id: string;
  state: 'parked' | 'done';
  body: Buffer | null;
  body_store: string | null;
  body_key: string | null;
  /** Why a webhook is parked; null if an older version parked it, for lack of an owner. */
  reason: 'no_owner' | 'other_owner' | null;
  /** The user that a parked webhook names. */
  named_user_id: string | null;
  /** Size of the body; null for webhooks recorded before sizes were. */
  bytes: ColumnType<string | null, number | undefined, number>;
  received_at: Timestamp;
  expires_at: Timestamp;
}

export interface RunSlotsTable {
  run_id: string;
  store: string;
  type: string;
  n: number;
}

export interface MediaEventOutboxTable {
  id: GeneratedAlways<string>;
  kind: string;
  user_id: string;
  media_id: string | null;
  provider: string | null;
  job_id: string | null;
  run_id: string | null;
  status: string | null;
  made_at: Timestamp;
}

export interface MediaEventsTable extends Omit<MediaEventOutboxTable, 'id'> {
  position: string;
  numbered_at: Timestamp;
}

export interface MediaEventLogTable {
  id: Generated<number>;
  last_position: Generated<string>;
  forgotten_to: Generated<string>;
}

export interface TasksTable {
  id: string;
  user_id: string;
  admin: boolean;
  action: string;
  request: JSONColumnType<JsonObject, string, string>;
  matched: number;
  done: Generated<number>;
  failed_count: Generated<number>;
  failed: JSONColumnType<JsonObject[], string | undefined, string>;
  after: Generated<string>;
  up_to: string;
  leased_until: Timestamp;
  /** Counts takings. */
  revision: Generated<number>;
  created_at: Timestamp;
  finished_at: NullableTimestamp;
}

export interface Tables {
  generated_images: GeneratedImagesTable;
  media_locations: MediaLocationsTable;
  storage_intents: StorageIntentsTable;
  idempotency_keys: IdempotencyKeysTable;
  scenes: ScenesTable;
  store_identities: StoreIdentitiesTable;
  leases: LeasesTable;
  former_keys: FormerKeysTable;
  uploads: UploadsTable;
  generation_jobs: GenerationJobsTable;
  job_outputs: JobOutputsTable;
  fetches: FetchesTable;
  webhook_deliveries: WebhookDeliveriesTable;
  runs: RunsTable;
  tasks: TasksTable;
  run_slots: RunSlotsTable;
  media_event_outbox: MediaEventOutboxTable;
  media_events: MediaEventsTable;
  media_event_log: MediaEventLogTable;
  media_rollup_marks: MediaRollupMarksTable;
  media_rollup_items: MediaRollupItemsTable;
  media_rollup_scopes: MediaRollupScopesTable;
  media_rollup_counts: MediaRollupCountsTable;
  media_rollup_walk: MediaRollupWalkTable;
}
