import { expressionBuilder, sql } from 'kysely';
import { WEIGHT } from '../items/item-pages.ts';
import { rowVersion } from '../items/item-row.ts';
import type { Tables } from '../tables.ts';

/** A search result: the item's place in the order, weight and version, and nothing that is expensive to read. */
export interface SearchHit {
  id: string;
  created_at: string;
  /** What it is sorted by, unless that is its creation. */
  sort_value?: string | undefined;
  /** Changes with everything that an item shows. */
  row_version: string;
  /** Bytes of the texts and objects that have no small bound. */
  weight: number;
}

const eb = expressionBuilder<Tables, 'generated_images'>();

/** The columns of a hit, for `select`. */
export const HIT_COLUMNS = [
  'generated_images.id',
  'generated_images.created_at',
  rowVersion(eb).as('row_version'),
  WEIGHT.as('weight'),
] as const;

/** The same for a statement in raw SQL. */
export const hitColumns = sql`generated_images.id, generated_images.created_at, ${rowVersion(eb)} AS row_version, ${WEIGHT} AS weight`;
