import type { Table } from './tables.ts';

/** Pipeline runs. Each has a folder in a store. */
export const RUN_TABLES: readonly Table[] = [
  {
    name: 'runs',
    columns: [
      'id TEXT NOT NULL',
      'user_id TEXT NOT NULL',
      'input_text TEXT NOT NULL',
      'transformed_text TEXT',
      'schema TEXT',
      'execution_mode TEXT',
      'safety_level TEXT',
      "metadata JSONB NOT NULL DEFAULT '{}'",
      'store TEXT NOT NULL',
      'completed_at TIMESTAMPTZ',
      'revision INTEGER NOT NULL DEFAULT 1',
      'written_revision INTEGER NOT NULL DEFAULT 0',
      'texts_due BOOLEAN NOT NULL DEFAULT TRUE',
      'due_at TIMESTAMPTZ',
      'attempts INTEGER NOT NULL DEFAULT 0',
      'last_error TEXT',
      'uncertain_at TIMESTAMPTZ',
      'created_at TIMESTAMPTZ NOT NULL DEFAULT now()',
      'updated_at TIMESTAMPTZ NOT NULL DEFAULT now()',
    ],
    // Size of metadata.json and when it was written: a large one is not rewritten for every change.
    addedColumns: ['metadata_bytes BIGINT NOT NULL DEFAULT 0', 'written_at TIMESTAMPTZ'],
    constraints: ['CONSTRAINT runs_pkey PRIMARY KEY (id)'],
    indexes: [{ name: 'runs_due', on: '(due_at) WHERE due_at IS NOT NULL' }],
  },
  {
    // File names that have been assigned: two outputs that arrive at once never get the same one.
    name: 'run_slots',
    columns: [
      'run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE',
      'store TEXT NOT NULL',
      'type TEXT NOT NULL',
      'n INTEGER NOT NULL',
    ],
    constraints: ['CONSTRAINT run_slots_pkey PRIMARY KEY (run_id, store, type, n)'],
  },
];
