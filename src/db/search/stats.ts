import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../database.ts';
import { BEHIND } from './rollups.ts';

export interface Count {
  name: string;
  count: number;
}

export interface Stats {
  total: number;
  uniqueUsers: number;
  succeeded: number;
  pending: number;
  failed: number;
  totalBytes: number;
  averageBytes: number | null;
  /** Items without a stored copy whose original URL will expire. */
  atRisk: number;
  /** Fraction of the stored items whose bytes are outside the database; null when none is stored. */
  outsideDatabaseRatio: number | null;
  byTool: Count[];
  byModel: Count[];
  byProvider: Count[];
  /** Whole days of UTC, newest first. */
  byDay: Count[];
  /** Changes that are not counted yet, 10,000 at most; 0: exact. */
  behind: number;
}

const GROUPS = 50;
const DAYS = 90;

interface Row {
  kind: string;
  name: string;
  items: string;
  bytes: string | null;
  sized: string | null;
}

/** The id of a user's totals, or of everyone's. */
const scopeOf = (userId: string | undefined): RawBuilder<string> =>
  userId === undefined ? sql`0` : sql`(SELECT id FROM media_rollup_scopes WHERE user_id = ${userId})`;

/** Totals of one user, or of all, as last counted. `databaseStores` keep their bytes in a database. */
export async function readStats(db: Db, userId: string | undefined, databaseStores: readonly string[]): Promise<Stats> {
  const scope = scopeOf(userId);
  const columns = sql`kind, coalesce(name, key) AS name, items, bytes, sized`;
  // An earlier version counted items without a tool under an empty name.
  const most = (kind: string) => sql`(SELECT ${columns} FROM media_rollup_counts
    WHERE scope = ${scope} AND kind = ${sql.lit(kind)} AND (kind <> 'tool' OR key <> '') ORDER BY items DESC, key LIMIT ${sql.lit(GROUPS)})`;
  // One statement, for one snapshot.
  const { rows } = await sql<Row>`
    SELECT ${columns} FROM media_rollup_counts WHERE scope = ${scope} AND kind IN ('status', 'stores', 'risk')
    UNION ALL ${most('tool')} UNION ALL ${most('model')} UNION ALL ${most('provider')}
    UNION ALL SELECT ${columns} FROM media_rollup_counts WHERE scope = ${scope} AND kind = 'day'
      AND key > to_char((now() AT TIME ZONE 'UTC') - make_interval(days => ${sql.lit(DAYS)}), 'YYYY-MM-DD')
    UNION ALL SELECT 'users', '', users, NULL, NULL FROM media_rollup_scopes WHERE id = 0
    UNION ALL SELECT 'behind', '', ${BEHIND}, NULL, NULL`.execute(db);
  return toStats(
    Map.groupBy(rows, (row) => row.kind),
    userId,
    databaseStores,
  );
}

function toStats(kinds: Map<string, Row[]>, userId: string | undefined, databaseStores: readonly string[]): Stats {
  const of = (kind: string) => kinds.get(kind) ?? [];
  const sum = (rows: readonly Row[], of: (row: Row) => string | null) =>
    rows.reduce((before, row) => before + Number(of(row) ?? 0), 0);
  const items = (rows: readonly Row[]) => sum(rows, (row) => row.items);
  const counts = (kind: string): Count[] => of(kind).map((row) => ({ name: row.name, count: Number(row.items) }));
  const status = of('status');
  const total = items(status);
  const succeeded = items(status.filter((row) => row.name === 'success'));
  const pending = items(status.filter((row) => row.name === 'pending'));
  const totalBytes = sum(status, (row) => row.bytes);
  const sized = sum(status, (row) => row.sized);
  const stored = of('stores');
  const outside = stored.filter(({ name }) =>
    (JSON.parse(name) as string[]).every((one) => !databaseStores.includes(one)),
  );
  return {
    total,
    uniqueUsers: userId === undefined ? items(of('users')) : Math.min(total, 1),
    succeeded,
    pending,
    failed: total - succeeded - pending,
    totalBytes,
    averageBytes: sized === 0 ? null : Math.round(totalBytes / sized),
    atRisk: items(of('risk')),
    outsideDatabaseRatio: stored.length === 0 ? null : items(outside) / items(stored),
    byTool: counts('tool'),
    byModel: counts('model'),
    byProvider: counts('provider'),
    byDay: counts('day').toSorted((a, b) => (a.name < b.name ? 1 : -1)),
    behind: items(of('behind')),
  };
}

/** Tags with their number of items, most frequent first, as last counted. `prefix` matches literally. */
export async function readTagCounts(
  db: Db,
  userId: string | undefined,
  prefix: string,
  limit: number,
): Promise<{ tags: { tag: string; count: number }[]; behind: number }> {
  // The key is the tag, or begins with more of it than a prefix may have.
  const { rows } = await sql<{ tag: string | null; items: string; behind: number }>`
    SELECT found.tag, found.items, ${BEHIND} AS behind
    FROM (SELECT TRUE) AS one LEFT JOIN (
      SELECT coalesce(name, key) AS tag, key, items FROM media_rollup_counts
      WHERE scope = ${scopeOf(userId)} AND kind = 'tag' AND starts_with(key, ${prefix})
      ORDER BY items DESC, key LIMIT ${limit}
    ) AS found ON TRUE
    ORDER BY found.items DESC, found.key`.execute(db);
  return {
    tags: rows.flatMap((row) => (row.tag === null ? [] : [{ tag: row.tag, count: Number(row.items) }])),
    behind: rows[0]?.behind ?? 0,
  };
}
