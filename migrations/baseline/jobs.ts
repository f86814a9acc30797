import type { Table } from './tables.ts';

/** Jobs at providers, their outputs, downloads of pending items, and webhooks. */
export const JOB_TABLES: readonly Table[] = [
  {
    // A change to a job locks its row, so reports about one job are handled one after the other.
    name: 'generation_jobs',
    columns: [
      'provider TEXT NOT NULL',
      'job_id TEXT NOT NULL',
      'user_id TEXT NOT NULL',
      "status TEXT NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'canceled'))",
      'progress SMALLINT CHECK (progress BETWEEN 0 AND 100)',
      'error TEXT',
      'error_class TEXT',
      "fields JSONB NOT NULL DEFAULT '{}'",
      "timings JSONB NOT NULL DEFAULT '{}'",
      'poll_at TIMESTAMPTZ',
      'poll_until TIMESTAMPTZ',
      'started_at TIMESTAMPTZ',
      'completed_at TIMESTAMPTZ',
      'created_at TIMESTAMPTZ NOT NULL DEFAULT now()',
      'updated_at TIMESTAMPTZ NOT NULL DEFAULT now()',
    ],
    constraints: ['CONSTRAINT generation_jobs_pkey PRIMARY KEY (provider, job_id)'],
    indexes: [{ name: 'generation_jobs_poll_at', on: '(poll_at) WHERE poll_at IS NOT NULL' }],
  },
  {
    // What identifies an output that arrives again: its URL, its name, its hash. One output has several.
    name: 'job_outputs',
    columns: [
      'provider TEXT NOT NULL',
      'job_id TEXT NOT NULL',
      'identity TEXT NOT NULL',
      'media_id BIGINT NOT NULL REFERENCES generated_images (id) ON DELETE CASCADE',
    ],
    constraints: ['CONSTRAINT job_outputs_pkey PRIMARY KEY (provider, job_id, identity, media_id)'],
    indexes: [{ name: 'job_outputs_media_id', on: '(media_id)' }],
  },
  {
    // Sources of a pending item's bytes, and when they expire. The URL that expires first is downloaded first.
    name: 'fetches',
    columns: [
      'media_id BIGINT NOT NULL REFERENCES generated_images (id) ON DELETE CASCADE',
      'sources JSONB NOT NULL',
      "options JSONB NOT NULL DEFAULT '{}'",
      'at_hand BOOLEAN NOT NULL DEFAULT FALSE',
      'expires_at TIMESTAMPTZ',
      'next_attempt_at TIMESTAMPTZ NOT NULL DEFAULT now()',
      'attempts INTEGER NOT NULL DEFAULT 0',
      'revision INTEGER NOT NULL DEFAULT 0',
      'last_error TEXT',
      'gave_up_at TIMESTAMPTZ',
      'created_at TIMESTAMPTZ NOT NULL DEFAULT now()',
    ],
    constraints: ['CONSTRAINT fetches_pkey PRIMARY KEY (media_id)'],
    indexes: [
      { name: 'fetches_expires_at', on: '(at_hand, expires_at, next_attempt_at) WHERE gave_up_at IS NULL' },
      { name: 'fetches_next_attempt', on: '(next_attempt_at) WHERE gave_up_at IS NULL' },
      // Finds the pending items that still need a webhook's body.
      { name: 'fetches_sources', on: 'USING GIN (sources jsonb_path_ops) WHERE gave_up_at IS NULL' },
    ],
  },
  {
    name: 'webhook_deliveries',
    columns: [
      'id BIGINT GENERATED ALWAYS AS IDENTITY',
      'provider TEXT NOT NULL',
      'delivery_key TEXT NOT NULL',
      'job_id TEXT NOT NULL',
      "state TEXT NOT NULL CHECK (state IN ('parked', 'done'))",
      'body BYTEA',
      'body_store TEXT',
      'body_key TEXT',
      'received_at TIMESTAMPTZ NOT NULL DEFAULT now()',
      'expires_at TIMESTAMPTZ NOT NULL',
    ],
    // Why a parked webhook waits, the user it names, and its size: it can be listed without its body. All three are
    // NULL for webhooks that an earlier version parked; it parked only those that name no user.
    addedColumns: ["reason TEXT CHECK (reason IN ('no_owner', 'other_owner'))", 'named_user_id TEXT', 'bytes BIGINT'],
    constraints: [
      'CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id)',
      'CONSTRAINT webhook_deliveries_key UNIQUE (provider, delivery_key)',
    ],
    indexes: [
      { name: 'webhook_deliveries_parked', on: "(job_id) WHERE state = 'parked'" },
      // The webhooks parked for one job, and the list of all parked webhooks.
      { name: 'webhook_deliveries_parked_of_job', on: "(provider, job_id, id) WHERE state = 'parked'" },
      { name: 'webhook_deliveries_parked_id', on: "(id) WHERE state = 'parked'" },
      { name: 'webhook_deliveries_expires_at', on: '(expires_at)' },
      { name: 'webhook_deliveries_body', on: '(body_store, body_key) WHERE body_key IS NOT NULL' },
    ],
  },
];

/** An index of an earlier version. A job is looked up by its provider and id, never by the id alone. */
export const DROP_UNUSED_INDEX = 'DROP INDEX IF EXISTS generation_jobs_job_id';

/** A column of `fetches` and its index had another name before the baseline. */
export const RENAME_FORMER_COLUMN = `DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(current_schema()) || '.fetches') AND attname = 'dies_at') THEN
    ALTER TABLE fetches RENAME COLUMN dies_at TO expires_at;
    ALTER INDEX IF EXISTS fetches_dies_at RENAME TO fetches_expires_at;
  END IF;
END $$`;
