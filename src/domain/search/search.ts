import type { ItemFilter, Position, SortField } from '../../db/search/item-filter.ts';
import { countItems, readFound, searchItems } from '../../db/search/search.ts';
import type { SearchHit } from '../../db/search/search-hit.ts';
import type { MediaItem } from '../../db/item-columns.ts';
import { type Stats, readStats, readTagCounts } from '../../db/search/stats.ts';
import { tsqueryOf } from '../words/query.ts';
import { AppError } from '../../errors.ts';
import { type Caller, isAdmin } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { MAX_TAGS, canonicalTag, checkTime } from '../items/item-fields.ts';
import { listingOf, openCursor, sealCursor, timeInCursor, timeOfCursor } from './cursor.ts';
import { freshenRollups } from './rollups.ts';
import type { Signer } from '../delivery/signing.ts';
import { checkText } from '../items/text-limits.ts';

/** Conditions as a caller gives them. */
export interface WantedItems extends Omit<ItemFilter, 'words'> {
  /** Words, "phrases", or, -not, begin*. */
  q?: string | undefined;
}

export interface SearchRequest {
  filter: WantedItems;
  by?: SortField | undefined;
  order: 'asc' | 'desc';
  limit: number;
  cursor?: string | undefined;
  includeTotal?: boolean | undefined;
}

/** Dependencies of a search. */
export interface SearchDeps extends Deps {
  signer: Signer;
}

/** One page of a search. Its items are read later, by the code that renders the response: it may have some of them already. */
export interface SearchPage {
  /** In order. */
  hits: readonly SearchHit[];
  /** Reads some of them, in any order; without those that were deleted since. */
  read(hits: readonly SearchHit[]): Promise<{ item: MediaItem; rowVersion: string }[]>;
  /** The cursor of the next page when only the first `count` hits are shown; null: there is none. */
  cursorAfter(count: number): string | null;
  total?: number;
}

/** The user whose items are listed; undefined: all users'. @throws AppError user_mismatch */
export function scopeOf(caller: Caller, userId: string | undefined): string | undefined {
  if (isAdmin(caller)) return userId;
  if (userId !== undefined && userId !== caller.sub) {
    throw new AppError(
      'user_mismatch',
      "This token sees its own subject's items only; leave 'userId' out, or use a token with media:admin.",
      { field: 'userId' },
    );
  }
  return caller.sub;
}

/** One page of the items that the caller may see. @throws AppError invalid_cursor, invalid_request, user_mismatch */
export async function search(deps: SearchDeps, caller: Caller, request: SearchRequest): Promise<SearchPage> {
  const filter = checkFilter({ ...request.filter, userId: scopeOf(caller, request.filter.userId) });
  const { by, order, limit } = request;
  const listing = listingOf({ filter, ...(by !== 'createdAt' && { by }), order, sub: caller.sub });
  const after = request.cursor === undefined ? undefined : placeIn(deps.signer, request.cursor, listing);
  const { found, more } = await searchItems(deps.db, { filter, by, order, limit, after });
  return {
    hits: found,
    read: (hits) => readFound(deps.db, hits, filter.deleted),
    cursorAfter(count) {
      const last = found[count - 1];
      if (!last || (!more && count === found.length)) return null;
      return sealCursor(deps.signer, listing, [timeInCursor(last.sort_value ?? last.created_at), last.id]);
    },
    ...(request.includeTotal === true && { total: await countItems(deps.db, filter) }),
  };
}

/** A search's conditions in canonical form. @throws AppError invalid_request, invalid_text */
export function checkFilter({ q, ...filter }: WantedItems): ItemFilter {
  if (q !== undefined) checkText('q', q, 2000);
  for (const [name, value] of Object.entries(filter)) if (typeof value === 'string') checkText(name, value, 2000);
  const { tags, notTags } = filter;
  for (const tag of [...(tags ?? []), ...(notTags ?? [])]) checkText('tag', tag, 256);
  if (Math.max(tags?.length ?? 0, notTags?.length ?? 0) > MAX_TAGS)
    throw new AppError('invalid_request', `A search may name at most ${MAX_TAGS} tags.`, { field: 'tags' });
  return {
    ...filter,
    sha256: filter.sha256?.toLowerCase(),
    words: q === undefined ? undefined : tsqueryOf(q),
    tags: tags?.map(canonicalTag),
    notTags: notTags?.map(canonicalTag),
    createdAfter: filter.createdAfter === undefined ? undefined : checkTime('createdAfter', filter.createdAfter),
    createdBefore: filter.createdBefore === undefined ? undefined : checkTime('createdBefore', filter.createdBefore),
  };
}

function placeIn(signer: Signer, cursor: string, listing: string): Position {
  const [value = '', id = ''] = openCursor(signer, cursor, { listing, parts: 2 });
  return { value: timeOfCursor(value), id };
}

export async function tagCounts(
  deps: Deps,
  caller: Caller,
  request: { userId?: string | undefined; prefix: string; limit: number },
) {
  checkText('prefix', request.prefix, 256);
  const userId = scopeOf(caller, request.userId);
  await freshenRollups(deps);
  return readTagCounts(deps.db, userId, request.prefix.normalize('NFC'), request.limit);
}

export async function stats(deps: Deps, caller: Caller, userId: string | undefined): Promise<Stats> {
  const scope = scopeOf(caller, userId);
  await freshenRollups(deps);
  const inDatabase = deps.stores.all.filter((store) => store.inDatabase).map((store) => store.name);
  return readStats(deps.db, scope, inDatabase);
}
