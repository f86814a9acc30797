import { type Table, VACUUMED_OFTEN } from './tables.ts';

/** Where the bytes of items lie, and what stores and uploads keep in the database. */
export const OBJECT_TABLES: readonly Table[] = [
  {
    name: 'media_locations',
    columns: [
      'media_id BIGINT NOT NULL REFERENCES generated_images (id) ON DELETE CASCADE',
      'store TEXT NOT NULL',
      'key TEXT NOT NULL',
      'bytes BIGINT NOT NULL',
      'sha256 CHAR(64)',
      'owned BOOLEAN NOT NULL DEFAULT TRUE',
      "state TEXT NOT NULL DEFAULT 'stored' CHECK (state IN ('stored', 'pending', 'missing', 'corrupt'))",
      'verified_at TIMESTAMPTZ',
      'created_at TIMESTAMPTZ NOT NULL DEFAULT now()',
    ],
    // Of a pending copy: why it is made, and when the next attempt is.
    addedColumns: [
      'purpose TEXT',
      'attempts INTEGER NOT NULL DEFAULT 0',
      'next_attempt_at TIMESTAMPTZ',
      'last_error TEXT',
    ],
    constraints: ['PRIMARY KEY (media_id, store)', 'CONSTRAINT media_locations_store_key UNIQUE (store, key)'],
    indexes: [
      { name: 'media_locations_pending', on: "(next_attempt_at) WHERE state = 'pending'" },
      // Moves and mirrors walk through a store along this, oldest item first.
      { name: 'media_locations_of_store', on: '(store, media_id)' },
    ],
  },
  {
    name: 'storage_intents',
    columns: [
      'store TEXT NOT NULL',
      'key TEXT NOT NULL',
      'leased_until TIMESTAMPTZ NOT NULL',
      'marked_at TIMESTAMPTZ',
      'created_at TIMESTAMPTZ NOT NULL DEFAULT now()',
    ],
    constraints: ['PRIMARY KEY (store, key)'],
    // Every upload inserts an intent and deletes it.
    storage: VACUUMED_OFTEN,
    indexes: [{ name: 'storage_intents_leased_until', on: '(leased_until)' }],
  },
  {
    name: 'store_identities',
    columns: ['store TEXT PRIMARY KEY', 'identity TEXT NOT NULL', 'created_at TIMESTAMPTZ NOT NULL DEFAULT now()'],
  },
  {
    // Work that one replica at a time may do (writing to a Git branch), until a time of the database's clock.
    name: 'leases',
    columns: ['name TEXT PRIMARY KEY', 'holder UUID NOT NULL', 'leased_until TIMESTAMPTZ NOT NULL'],
  },
  {
    // Objects of the `database` driver. Chunks are written first; an object exists once this row names its blob.
    name: 'stored_blobs',
    columns: [
      'store TEXT NOT NULL',
      'key TEXT COLLATE "C" NOT NULL',
      'blob_id UUID NOT NULL',
      'content_type TEXT NOT NULL',
      'chunk_bytes INTEGER NOT NULL',
      'bytes BIGINT NOT NULL',
      'created_at TIMESTAMPTZ NOT NULL DEFAULT now()',
    ],
    constraints: ['CONSTRAINT stored_blobs_pkey PRIMARY KEY (store, key)'],
  },
  {
    name: 'stored_blob_chunks',
    columns: ['blob_id UUID NOT NULL', 'number INTEGER NOT NULL', 'bytes BYTEA NOT NULL'],
    constraints: ['CONSTRAINT stored_blob_chunks_pkey PRIMARY KEY (blob_id, number)'],
    // Media files are compressed already; compressing them again costs time and saves nothing.
    onCreate: ['ALTER COLUMN bytes SET STORAGE EXTERNAL'],
  },
  {
    // Blobs without an object: their write is running or was interrupted, or an overwrite has replaced them.
    name: 'stored_blob_writes',
    columns: [
      'blob_id UUID NOT NULL',
      'store TEXT NOT NULL',
      'key TEXT COLLATE "C" NOT NULL',
      'replaced_at TIMESTAMPTZ',
    ],
    constraints: ['CONSTRAINT stored_blob_writes_pkey PRIMARY KEY (blob_id)'],
    indexes: [
      { name: 'stored_blob_writes_key', on: '(store, key)' },
      { name: 'stored_blob_writes_replaced', on: '(replaced_at) WHERE replaced_at IS NOT NULL' },
    ],
  },
  {
    // Keys in permanent URLs of the local store, for items that have moved to another store.
    name: 'former_keys',
    columns: ['key TEXT NOT NULL', 'media_id BIGINT NOT NULL REFERENCES generated_images (id) ON DELETE CASCADE'],
    constraints: ['CONSTRAINT former_keys_pkey PRIMARY KEY (key, media_id)'],
    indexes: [{ name: 'former_keys_media_id', on: '(media_id)' }],
  },
  {
    // Uploads that a caller has begun; a browser sends the bytes.
    name: 'uploads',
    columns: [
      'id UUID NOT NULL',
      'user_id TEXT NOT NULL',
      'store TEXT NOT NULL',
      'key TEXT NOT NULL',
      'home TEXT',
      'content_type TEXT NOT NULL',
      'bytes BIGINT NOT NULL',
      'fields JSONB NOT NULL',
      'item_id BIGINT',
      'expires_at TIMESTAMPTZ NOT NULL',
      'created_at TIMESTAMPTZ NOT NULL DEFAULT now()',
    ],
    constraints: ['CONSTRAINT uploads_pkey PRIMARY KEY (id)'],
    indexes: [
      { name: 'uploads_key', on: '(store, key)' },
      { name: 'uploads_expires_at', on: '(expires_at)' },
    ],
  },
];
