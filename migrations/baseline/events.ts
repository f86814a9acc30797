import { type Table, VACUUMED_OFTEN } from './tables.ts';

const EVENT = [
  'kind TEXT NOT NULL',
  'user_id TEXT NOT NULL',
  'media_id BIGINT',
  'provider TEXT',
  'job_id TEXT',
  'run_id TEXT',
  'status TEXT',
];

/** The event log that clients follow. */
export const EVENT_TABLES: readonly Table[] = [
  {
    // Written in the transaction of the change, so an event exists exactly when its change does.
    name: 'media_event_outbox',
    columns: ['id BIGINT GENERATED ALWAYS AS IDENTITY', ...EVENT, 'made_at TIMESTAMPTZ NOT NULL DEFAULT now()'],
    constraints: ['CONSTRAINT media_event_outbox_pkey PRIMARY KEY (id)'],
    storage: VACUUMED_OFTEN,
  },
  {
    // Events get a position once they are committed: positions have no gaps and become visible in order.
    name: 'media_events',
    columns: [
      'position BIGINT NOT NULL',
      ...EVENT,
      'made_at TIMESTAMPTZ NOT NULL',
      'numbered_at TIMESTAMPTZ NOT NULL DEFAULT now()',
    ],
    constraints: ['CONSTRAINT media_events_pkey PRIMARY KEY (position)'],
    indexes: [{ name: 'media_events_of_user', on: '(user_id, position)' }],
  },
  {
    // One row. Its lock is the right to assign positions. Events up to forgotten_to have been deleted.
    name: 'media_event_log',
    columns: [
      'id INTEGER NOT NULL DEFAULT 1 CHECK (id = 1)',
      'last_position BIGINT NOT NULL DEFAULT 0',
      'forgotten_to BIGINT NOT NULL DEFAULT 0',
    ],
    constraints: ['CONSTRAINT media_event_log_pkey PRIMARY KEY (id)'],
  },
];

export const EVENT_ROWS = ['INSERT INTO media_event_log (id) VALUES (1) ON CONFLICT DO NOTHING'];
