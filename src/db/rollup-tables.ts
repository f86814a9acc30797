import type { Generated } from 'kysely';

export interface MediaRollupMarksTable {
  media_id: string;
}

/** What an item contributes to the totals. */
export interface MediaRollupItemsTable {
  media_id: string;
  user_id: string;
  status: string;
  bytes: string | null;
  tool: string | null;
  model: string | null;
  provider: string | null;
  /** Day of its creation, in UTC. */
  day: string | null;
  /** A sorted JSON list of the stores that have its bytes; null when none has. */
  stores: string | null;
  at_risk: boolean;
  tags: string[];
}

export interface MediaRollupScopesTable {
  id: Generated<string>;
  /** Null: everyone. */
  user_id: string | null;
  items: string;
  /** Number of users with items; only in everyone's row. */
  users: string;
}

export interface MediaRollupCountsTable {
  scope: string;
  kind: 'status' | 'tool' | 'model' | 'provider' | 'day' | 'stores' | 'risk' | 'tag';
  key: string;
  /** Set where the key is not the whole name. */
  name: string | null;
  items: string;
  bytes: string | null;
  sized: string | null;
}

export interface MediaRollupWalkTable {
  id: Generated<number>;
  next_id: string;
  last_id: string;
}
