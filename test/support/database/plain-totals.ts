import { sql } from 'kysely';
import type { Db } from '../../../src/db/database.ts';
import type { Stats } from '../../../src/db/search/stats.ts';

/** The totals as a query over all rows returns them: the kept ones must equal them. */
export async function plainStats(
  db: Db,
  userId: string | undefined,
  databaseStores: readonly string[],
): Promise<Stats> {
  const scope = userId === undefined ? sql`deleted_at IS NULL` : sql`deleted_at IS NULL AND user_id = ${userId}`;
  const totals = await sql<Record<string, string | null>>`
    SELECT count(*) AS total,
      count(DISTINCT user_id) AS users,
      count(*) FILTER (WHERE status = 'success') AS succeeded,
      count(*) FILTER (WHERE status = 'pending') AS pending,
      count(*) FILTER (WHERE status <> 'success' AND status <> 'pending') AS failed,
      coalesce(sum(bytes), 0) AS bytes,
      avg(bytes) AS average,
      count(*) FILTER (WHERE stored.outside IS NULL AND original_url IS NOT NULL AND status IN ('success', 'pending')) AS at_risk,
      avg(CASE WHEN stored.outside THEN 1.0 WHEN NOT stored.outside THEN 0.0 END) AS outside
    FROM generated_images
    LEFT JOIN LATERAL (SELECT bool_and(store <> ALL(${[...databaseStores]}::text[])) AS outside FROM media_locations
      WHERE media_id = generated_images.id AND state <> 'pending') stored ON TRUE
    WHERE ${scope}`.execute(db);
  const row = totals.rows[0] ?? {};
  const number = (name: string) => Number(row[name] ?? 0);
  const group = async (column: 'tool_name' | 'model' | 'provider') => {
    const rows = await sql<{ name: string; count: string }>`
      SELECT ${sql.ref(column)} AS name, count(*) AS count FROM generated_images
      WHERE ${scope} AND ${sql.ref(column)} IS NOT NULL AND (${column} <> 'tool_name' OR ${sql.ref(column)} <> '') GROUP BY ${sql.ref(column)} ORDER BY 2 DESC, ${sql.ref(column)} COLLATE "C" LIMIT 50`.execute(
      db,
    );
    return rows.rows.map((entry) => ({ name: entry.name, count: Number(entry.count) }));
  };
  const days = await sql<{ name: string; count: string }>`
    SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS name, count(*) AS count FROM generated_images
    WHERE ${scope} AND created_at >= date_trunc('day', now(), 'UTC') - interval '89 days' AND isfinite(created_at) GROUP BY 1 ORDER BY 1 DESC`.execute(
    db,
  );
  return {
    total: number('total'),
    uniqueUsers: number('users'),
    succeeded: number('succeeded'),
    pending: number('pending'),
    failed: number('failed'),
    totalBytes: number('bytes'),
    averageBytes: row['average'] == null ? null : Math.round(Number(row['average'])),
    atRisk: number('at_risk'),
    outsideDatabaseRatio: row['outside'] == null ? null : Number(row['outside']),
    byTool: await group('tool_name'),
    byModel: await group('model'),
    byProvider: await group('provider'),
    byDay: days.rows.map((entry) => ({ name: entry.name, count: Number(entry.count) })),
    behind: 0,
  };
}

export async function plainTags(db: Db, userId: string | undefined, prefix: string, limit: number) {
  const ofUser = userId === undefined ? sql`` : sql`AND user_id = ${userId}`;
  const rows = await sql<{ tag: string; count: string }>`
    SELECT tag, count(DISTINCT id) AS count
    FROM generated_images, unnest(tags) AS tag
    WHERE deleted_at IS NULL ${ofUser} AND starts_with(tag, ${prefix})
    GROUP BY tag ORDER BY 2 DESC, tag COLLATE "C" LIMIT ${limit}`.execute(db);
  return { tags: rows.rows.map((row) => ({ tag: row.tag, count: Number(row.count) })), behind: 0 };
}
