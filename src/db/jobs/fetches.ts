import { sql } from 'kysely';
import type { Db, Trx } from '../database.ts';

/*
 * The fetch of a pending item's bytes is one row in `fetches`, from the item's insert until its bytes are stored:
 *
 *   due ── takeFetch ──> taken (leased) ──┬─> stored      the bytes were stored, by this attempt or by another: row deleted
 *    ^                    │    ^          ├─> postponed   retried at next_attempt_at, then due
 *    │<── lease expired ──┘    └─ renewed └─> gave up     gave_up_at is set and the item has failed
 *    │                                         │
 *    └──── extendFetch, reviveFetches ─────────┘
 *
 * A row that a request holds (`held`) begins leased without an attempt; when its lease expires, a worker takes it. `revision`
 * rises when the fetch is taken, gets further places or is revived. An attempt renews, postpones or gives up only the revision
 * that it took: otherwise its result is out of date.
 */

/** A place that has a pending item's bytes. */
export type FetchSource =
  | { type: 'url'; url: string }
  /** An object in one of our stores that another system owns. */
  | { type: 'object'; store: string; key: string }
  /** A file of the operator's own ComfyUI. */
  | { type: 'comfyui'; filename: string; subfolder: string; fileType: string }
  /**
   * Base64 in the kept body of a webhook: the SHA-256 of its bytes in hex, where known; and the index of the output and of the
   * place within it, as the body was read when it came.
   */
  | { type: 'delivery'; deliveryId: string; output: number; place: number; sha256?: string | undefined };

/** What determines the key but is no column of the item. */
export interface FetchOptions {
  subfolder?: string | undefined;
  store?: string | undefined;
  /** The provider's content type. */
  contentType?: string | undefined;
}

export interface Fetch {
  mediaId: string;
  /** The best place first. */
  sources: FetchSource[];
  options: FetchOptions;
  /** When the last of its URLs expires; undefined: unknown. */
  expiresAt: Date | undefined;
  /** Including this attempt. */
  attempts: number;
  /** When it was taken; if it has changed since, the attempt's result no longer counts. */
  revision: number;
  createdAt: Date;
  /** Milliseconds since 1970 by the database's clock: replicas whose clocks differ must agree on what has expired. */
  now(): number;
}

/** Lease of an attempt, renewed while it runs. Short, because a URL may expire while a crashed worker holds the lease. */
export const ATTEMPT_SECONDS = 45;
const leased = sql<string>`now() + make_interval(secs => ${ATTEMPT_SECONDS})`;

export interface NewFetch {
  /** The best place first. */
  sources: readonly FetchSource[];
  options: FetchOptions;
  /** When the last URL expires; undefined: unknown. */
  expiresAt: Date | undefined;
  /** The request itself brings the bytes; a worker takes over when the lease is not renewed for 45 seconds. */
  held?: boolean | undefined;
}

export async function insertFetch(
  trx: Trx,
  mediaId: string,
  { sources, options, expiresAt, held }: NewFetch,
): Promise<void> {
  await trx
    .insertInto('fetches')
    .values({
      media_id: mediaId,
      sources: JSON.stringify(sources),
      options: JSON.stringify(options),
      at_hand: isAtHand(sources),
      expires_at: expiresAt?.toISOString() ?? null,
      next_attempt_at: held === true ? leased : sql<string>`now()`,
    })
    .execute();
}

/** Adds places to an item that is waiting or was given up, and retries it at once. */
export async function extendFetch(
  trx: Trx,
  mediaId: string,
  { sources, options, expiresAt, held }: NewFetch,
): Promise<void> {
  const row = await trx
    .selectFrom('fetches')
    .selectAll()
    .where('media_id', '=', mediaId)
    .forUpdate()
    .executeTakeFirst();
  if (!row) return insertFetch(trx, mediaId, { sources, options, expiresAt, held });
  const known = row.sources as unknown as FetchSource[];
  const seen = new Set(known.map(nameOf));
  const added = sources.filter((source) => !seen.has(nameOf(source)));
  const all = [...known, ...added].toSorted((a, b) => RANK[a.type] - RANK[b.type]);
  const again = added.length > 0 || row.gave_up_at !== null || held === true;
  // If a place has no known expiry, neither has the whole.
  const never = (known.length > 0 && row.expires_at === null) || expiresAt === undefined;
  await trx
    .updateTable('fetches')
    .set({
      sources: JSON.stringify(all),
      at_hand: isAtHand(all),
      options: JSON.stringify({ ...row.options, ...options }),
      expires_at: never
        ? null
        : new Date(Math.max(Number(new Date(row.expires_at ?? 0)), Number(expiresAt))).toISOString(),
      // A running attempt does no harm: one of the two finds the item complete.
      next_attempt_at: held === true ? leased : again ? sql<string>`now()` : row.next_attempt_at,
      gave_up_at: null,
      ...(row.gave_up_at !== null && AFRESH),
      revision: again ? sql<number>`revision + 1` : row.revision,
    })
    .where('media_id', '=', mediaId)
    .execute();
}

/** Equal for equal places: JSONB returns an object's properties in an order of its own. */
const nameOf = (source: FetchSource): string => JSON.stringify(source, Object.keys(source).toSorted());

/** A restarted fetch: the full time limit, and short pauses at first. */
const AFRESH = { attempts: 0, created_at: sql<string>`now()` };
const RANK = { object: 0, comfyui: 1, delivery: 1, url: 2 } as const;

/** Whether the best place needs no network: such an item must not wait behind slow hosts. */
export function isAtHand([best]: readonly FetchSource[]): boolean {
  return best?.type === 'delivery' || best?.type === 'object';
}

/**
 * Takes the due fetch that expires first, either of those at hand or of the others; or the fetch of one item, due or not.
 * Undefined: there is none.
 */
export async function takeFetch(db: Db, which: { mediaId: string } | { atHand: boolean }): Promise<Fetch | undefined> {
  const asked = performance.now();
  const row = await db
    .updateTable('fetches')
    .set({
      attempts: sql<number>`attempts + 1`,
      revision: sql<number>`revision + 1`,
      next_attempt_at: leased,
    })
    .where('media_id', '=', (eb) => {
      const open = eb.selectFrom('fetches as due').select('due.media_id').where('due.gave_up_at', 'is', null);
      if ('mediaId' in which) return open.where('due.media_id', '=', which.mediaId);
      return open
        .where('due.at_hand', '=', which.atHand)
        .where('due.next_attempt_at', '<=', sql<string>`now()`)
        .orderBy(sql`due.expires_at ASC NULLS LAST`)
        .orderBy('due.next_attempt_at')
        .limit(1)
        .forUpdate()
        .skipLocked();
    })
    .returningAll()
    .returning(sql<string>`now()`.as('taken_at'))
    .executeTakeFirst();
  return (
    row && {
      now: () => Date.parse(row.taken_at) + performance.now() - asked,
      mediaId: row.media_id,
      sources: row.sources as unknown as FetchSource[],
      options: row.options,
      expiresAt: row.expires_at === null ? undefined : new Date(row.expires_at),
      attempts: row.attempts,
      revision: row.revision,
      createdAt: new Date(row.created_at),
    }
  );
}

/** Extends the lease of a running attempt; no effect when the fetch was taken again, or got further places. */
export async function renewFetch(db: Db, { mediaId, revision }: Pick<Fetch, 'mediaId' | 'revision'>): Promise<void> {
  await db
    .updateTable('fetches')
    .set({ next_attempt_at: leased })
    .where('media_id', '=', mediaId)
    .where('revision', '=', revision)
    .where('gave_up_at', 'is', null)
    .execute();
}

/** Postpones the next attempt; false when the fetch has got further places since it was taken, or was taken again. */
export async function postponeFetch(
  db: Db,
  { mediaId, revision }: Pick<Fetch, 'mediaId' | 'revision'>,
  { seconds, error }: { seconds: number; error: string },
): Promise<boolean> {
  const result = await db
    .updateTable('fetches')
    .set({ next_attempt_at: sql<string>`now() + make_interval(secs => ${seconds})`, last_error: error })
    .where('media_id', '=', mediaId)
    .where('revision', '=', revision)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Gives up; the places stay, for a retry. False as with `postponeFetch`. */
export async function giveUpFetch(
  trx: Trx,
  { mediaId, revision }: Pick<Fetch, 'mediaId' | 'revision'>,
  error: string,
): Promise<boolean> {
  const result = await trx
    .updateTable('fetches')
    .set({ gave_up_at: sql<string>`now()`, last_error: error })
    .where('media_id', '=', mediaId)
    .where('revision', '=', revision)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Keeps workers off items whose bytes a request holds and has not processed yet. */
export async function renewHeldFetches(db: Db, mediaIds: readonly string[]): Promise<void> {
  if (mediaIds.length === 0) return;
  await db
    .updateTable('fetches')
    .set({ next_attempt_at: leased })
    .where('media_id', 'in', [...mediaIds])
    .where('gave_up_at', 'is', null)
    .where('attempts', '=', 0)
    .execute();
}

export async function deleteFetch(trx: Trx, mediaId: string): Promise<void> {
  await trx.deleteFrom('fetches').where('media_id', '=', mediaId).execute();
}

/** Retries the fetches of `mediaIds` at once, those given up and those postponed; returns their ids. */
export async function reviveFetches(trx: Trx, mediaIds: readonly string[]): Promise<string[]> {
  if (mediaIds.length === 0) return [];
  const rows = await trx
    .updateTable('fetches')
    .set({ ...AFRESH, gave_up_at: null, revision: sql<number>`revision + 1`, next_attempt_at: sql<string>`now()` })
    .where('media_id', 'in', [...mediaIds])
    .returning('media_id')
    .execute();
  return rows.map((row) => row.media_id);
}

/** Fetches that were not given up, and those of them that are more than two minutes overdue. */
export async function countFetches(db: Db): Promise<{ waiting: number; overdue: number }> {
  const { rows } = await sql<{ waiting: string; overdue: string }>`
    SELECT count(*) AS waiting, count(*) FILTER (WHERE next_attempt_at < now() - interval '2 minutes') AS overdue
    FROM fetches WHERE gave_up_at IS NULL`.execute(db);
  return { waiting: Number(rows[0]?.waiting ?? 0), overdue: Number(rows[0]?.overdue ?? 0) };
}
