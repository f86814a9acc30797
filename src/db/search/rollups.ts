import { type RawBuilder, sql } from 'kysely';
import type { Db, Trx } from '../database.ts';

/** Marks and items of one transaction: a fraction of a second. */
export const ROLLUP_BATCH = 2000;
/** Larger counts of uncounted changes are reported as this. */
const MAX_BEHIND = 10_000;

export interface CatchUp {
  /** Marks and items that were processed. */
  counted: number;
  /** There may be more to count. */
  more: boolean;
}

/**
 * Updates the totals: takes at most `limit` marks, and as many items that were never counted, compares what these items
 * contribute now with what they contributed when last counted, and adds the difference to the totals. A mark commits with its
 * change, so a reader of the mark sees the change; and items are read as they are now, not as at the mark. So the totals are
 * exact once no mark is left, whatever the order of commits. One process at a time: undefined when another one is counting.
 */
export async function catchUpRollups(db: Db, limit = ROLLUP_BATCH): Promise<CatchUp | undefined> {
  return db
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async (trx) => {
      if (!(await lock(trx))) return undefined;
      // A separate statement: its snapshot must be younger than the lock.
      const { rows } = await batch(limit).execute(trx);
      const { marks = '0', walked = '0' } = rows[0] ?? {};
      return { counted: Number(marks) + Number(walked), more: Number(marks) === limit || Number(walked) === limit };
    });
}

/** Held to the end of the transaction. */
async function lock(trx: Trx): Promise<boolean> {
  const { rows } = await sql<{ locked: boolean }>`
    SELECT pg_try_advisory_xact_lock(hashtext('mediakeep roll-ups ' || current_schema())) AS locked,
      set_config('jit', 'off', TRUE)`.execute(trx);
  return rows[0]?.locked === true;
}

/** What an item contributes, in the order of the columns of media_rollup_items. */
const CONTRIBUTION = sql`
  item.id, item.user_id, item.status::text, item.bytes, nullif(item.tool_name, ''), item.model, item.provider,
  to_char(item.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), located.stores,
  located.stores IS NULL AND item.original_url IS NOT NULL AND item.status IN ('success', 'pending'),
  ARRAY(SELECT DISTINCT tag FROM unnest(item.tags) AS tag WHERE tag IS NOT NULL ORDER BY tag)`;

/** The totals to which a contribution counts. A name of NULL counts nowhere. */
const COUNTED = sql`
  SELECT * FROM (VALUES
    ('status', entry.status, entry.bytes),
    ('tool', entry.tool, NULL),
    ('model', entry.model, NULL),
    ('provider', entry.provider, NULL),
    ('day', entry.day, NULL),
    ('stores', entry.stores, NULL),
    ('risk', CASE WHEN entry.at_risk THEN '' END, NULL)
  ) AS part (kind, name, bytes)
  UNION ALL SELECT 'tag', tag, NULL FROM unnest(entry.tags) AS tag`;

/** LATERAL with LIMIT forces a look-up row by row; with a plain join, statistics can make the planner scan the table. */
function batch(limit: number): RawBuilder<{ marks: string; walked: string }> {
  return sql`
    WITH taken AS (
      DELETE FROM media_rollup_marks WHERE ctid = ANY (ARRAY(SELECT ctid FROM media_rollup_marks LIMIT ${limit}))
      RETURNING media_id
    ), walked AS MATERIALIZED (
      SELECT id FROM generated_images
      WHERE id > (SELECT next_id FROM media_rollup_walk) AND id <= (SELECT last_id FROM media_rollup_walk)
      ORDER BY id LIMIT ${limit}
    ), walk AS (
      UPDATE media_rollup_walk
      SET next_id = CASE WHEN (SELECT count(*) FROM walked) < ${limit} THEN last_id ELSE (SELECT max(id) FROM walked) END
      WHERE next_id < last_id
    ), looked_at AS MATERIALIZED (
      SELECT media_id FROM taken UNION SELECT id FROM walked
    ), present AS MATERIALIZED (
      SELECT (ROW(${CONTRIBUTION})::media_rollup_items).*
      FROM looked_at
      JOIN LATERAL (SELECT * FROM generated_images WHERE id = looked_at.media_id LIMIT 1) AS item ON item.deleted_at IS NULL
      LEFT JOIN LATERAL (SELECT jsonb_agg(store ORDER BY store)::text AS stores FROM media_locations
        WHERE media_locations.media_id = item.id AND state <> 'pending') AS located ON TRUE
    ), former AS MATERIALIZED (
      SELECT former.* FROM looked_at
      JOIN LATERAL (SELECT * FROM media_rollup_items WHERE media_id = looked_at.media_id LIMIT 1) AS former ON TRUE
    ), entries AS MATERIALIZED (
      SELECT -1 AS sign, former.* FROM former
      UNION ALL SELECT 1, present.* FROM present
    ), parts AS MATERIALIZED (
      SELECT user_id, kind, name, sum(sign) AS items, sum(sign * part.bytes::numeric) AS bytes,
        sum(sign) FILTER (WHERE part.bytes IS NOT NULL) AS sized
      FROM entries AS entry CROSS JOIN LATERAL (${COUNTED}) AS part
      WHERE name IS NOT NULL
      -- Without a user: everyone's.
      GROUP BY GROUPING SETS ((user_id, kind, name), (kind, name))
      HAVING sum(sign) <> 0 OR sum(sign * part.bytes::numeric) <> 0 OR sum(sign) FILTER (WHERE part.bytes IS NOT NULL) <> 0
    ), remembered AS (
      INSERT INTO media_rollup_items SELECT * FROM present
      ON CONFLICT (media_id) DO UPDATE SET user_id = excluded.user_id, status = excluded.status, bytes = excluded.bytes,
        tool = excluded.tool, model = excluded.model, provider = excluded.provider, day = excluded.day,
        stores = excluded.stores, at_risk = excluded.at_risk, tags = excluded.tags
      WHERE media_rollup_items IS DISTINCT FROM excluded
    ), forgotten AS (
      DELETE FROM media_rollup_items
      WHERE media_id = ANY (ARRAY(SELECT media_id FROM former EXCEPT SELECT media_id FROM present))
    ), users AS MATERIALIZED (
      SELECT part.user_id, part.items AS more, scope.id, scope.items, scope.place
      FROM (SELECT user_id, coalesce(sum(items) FILTER (WHERE kind = 'status'), 0) AS items FROM parts
        WHERE user_id IS NOT NULL GROUP BY user_id) AS part
      LEFT JOIN LATERAL (SELECT id, items, ctid AS place FROM media_rollup_scopes
        WHERE user_id = part.user_id LIMIT 1) AS scope ON TRUE
    ), come AS (
      INSERT INTO media_rollup_scopes (user_id, items) SELECT user_id, more FROM users WHERE id IS NULL
      RETURNING id, user_id
    ), stayed AS (
      UPDATE media_rollup_scopes AS scope SET items = scope.items + users.more
      FROM (SELECT place, more FROM users WHERE more <> 0 AND items + more <> 0) AS users WHERE scope.ctid = users.place
    ), gone AS (
      -- Nothing of a user remains here when nothing of theirs remains.
      DELETE FROM media_rollup_scopes WHERE ctid = ANY (ARRAY(SELECT place FROM users WHERE items + more = 0))
      RETURNING id
    ), everyone AS (
      UPDATE media_rollup_scopes SET
        items = items + (SELECT coalesce(sum(more), 0) FROM users),
        users = users + (SELECT count(*) FROM come) - (SELECT count(*) FROM gone)
      WHERE id = 0 AND EXISTS (SELECT FROM users WHERE more <> 0)
    ), changes AS MATERIALIZED (
      SELECT change.*, counts.items AS before, counts.place
      FROM (SELECT CASE WHEN parts.user_id IS NULL THEN 0 ELSE coalesce(users.id, come.id) END AS scope, kind,
          CASE WHEN length(name) <= 200 THEN name
            ELSE left(name, 200) || encode(sha256(convert_to(name, 'UTF8')), 'hex') END AS key,
          CASE WHEN length(name) > 200 THEN name END AS name, parts.items, bytes, sized
        FROM parts LEFT JOIN users ON users.user_id = parts.user_id LEFT JOIN come ON come.user_id = parts.user_id) AS change
      LEFT JOIN LATERAL (SELECT items, ctid AS place FROM media_rollup_counts AS counts
        WHERE counts.scope = change.scope AND counts.kind = change.kind AND counts.key = change.key LIMIT 1) AS counts ON TRUE
    ), adjusted AS (
      INSERT INTO media_rollup_counts AS counts (scope, kind, key, name, items, bytes, sized)
      SELECT scope, kind, key, name, items, bytes, sized FROM changes WHERE before IS NULL OR before + items <> 0
      ON CONFLICT (scope, kind, key) DO UPDATE SET
        items = counts.items + excluded.items,
        bytes = coalesce(counts.bytes + excluded.bytes, counts.bytes, excluded.bytes),
        sized = coalesce(counts.sized + excluded.sized, counts.sized, excluded.sized)
    ), removed AS (
      DELETE FROM media_rollup_counts WHERE ctid = ANY (ARRAY(SELECT place FROM changes WHERE before + items = 0))
    )
    SELECT (SELECT count(*) FROM taken) AS marks, (SELECT count(*) FROM walked) AS walked`;
}

/** Whether there is anything to count; one cheap query. */
export async function rollupsAreBehind(db: Db): Promise<boolean> {
  const { rows } = await sql<{ behind: boolean }>`
    SELECT EXISTS (SELECT FROM media_rollup_marks) OR EXISTS (SELECT FROM media_rollup_walk WHERE next_id < last_id) AS behind`.execute(
    db,
  );
  return rows[0]?.behind === true;
}

/** Changes and items that the totals lack, 10,000 at most; an expression, to read it together with totals. */
export const BEHIND = sql<number>`least(${sql.lit(MAX_BEHIND)},
  (SELECT count(*) FROM (SELECT FROM media_rollup_marks LIMIT ${sql.lit(MAX_BEHIND)}) AS marks)
  + (SELECT count(*) FROM (SELECT FROM generated_images, media_rollup_walk AS walk
      WHERE generated_images.id > walk.next_id AND generated_images.id <= walk.last_id LIMIT ${sql.lit(MAX_BEHIND)}) AS items))::int`;

export async function countBehind(db: Db): Promise<number> {
  const { rows } = await sql<{ behind: number }>`SELECT ${BEHIND} AS behind`.execute(db);
  return rows[0]?.behind ?? 0;
}

/** Clears all totals and has every item counted again. Waits for a running catch-up. */
export async function resetRollups(db: Db): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(hashtext('mediakeep roll-ups ' || current_schema()))`.execute(trx);
    await sql`TRUNCATE media_rollup_items, media_rollup_counts, media_rollup_scopes`.execute(trx);
    await sql`INSERT INTO media_rollup_scopes (id, user_id) VALUES (0, NULL)`.execute(trx);
    // Items that are inserted from here on leave marks.
    await sql`INSERT INTO media_rollup_walk (next_id, last_id)
      SELECT coalesce(min(id), 1) - 1, coalesce(max(id), 0) FROM generated_images
      ON CONFLICT (id) DO UPDATE SET next_id = excluded.next_id, last_id = excluded.last_id`.execute(trx);
  });
}
