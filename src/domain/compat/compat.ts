import type { MediaItem } from '../../db/item-columns.ts';
import type { JsonObject } from '../../json/json.ts';
import { readBounded } from '../../db/items/item-pages.ts';
import { mediaOfRunIds } from '../../db/runs/run-outputs.ts';
import { type Run, findRun } from '../../db/runs/runs.ts';
import { LIST_ORDERS, countListed, listItemIds, listedByType } from '../../db/search/offset-list.ts';
import { locationsOfMany } from '../../db/objects/locations.ts';
import { AppError } from '../../errors.ts';
import { mediaTypeByMime } from '../../media/media-type.ts';
import { runpod } from '../../sources/providers/runpod.ts';
import { savedImages } from '../../sources/answers/saved-image.ts';
import { abridgedToFit, itemsThatFit } from '../search/answer-size.ts';
import { type Caller, isAdmin, mayReach } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { importAnswer, storeWithoutJob } from '../jobs/import-answer.ts';
import { importJob } from '../jobs/import-job.ts';
import { type Reader, refuseReading } from '../delivery/open-content.ts';
import { placeInRun, runEntry, runHead } from '../run-folder/write-metadata.ts';
import { scopeOf } from '../search/search.ts';

/** Maximum bytes of a list by offset, apart from what remains of abridged items. */
const MAX_LIST_BYTES = 8 * 1024 * 1024;
/** Items that are returned with a run; a search returns the others. */
const MAX_RUN_ITEMS = 1000;
/** Maximum bytes of JSON of a run's items, which are sent twice: as items and in the form of metadata.json. */
const MAX_RUN_BYTES = 4 * 1024 * 1024;

/** Items in one list by offset; a higher limit gets as many. */
const MAX_LISTED = 200;

interface WantedImages {
  userId?: string | undefined;
  jobId?: string | undefined;
}

export interface ImagePage {
  items: MediaItem[];
  /** Of all pages. */
  total: number;
  hasMore: boolean;
}

/**
 * Lists items by offset, as older systems page; the database reads the skipped rows too. An order that is not known is that of older
 * systems: newest first. Items beyond 8 MiB are abridged, because leaving them out would shift every later page.
 * @throws AppError user_mismatch
 */
export async function imagesByOffset(
  deps: Deps,
  caller: Caller,
  {
    userId,
    jobId,
    limit,
    offset,
    sortBy,
  }: WantedImages & { limit: number; offset: number; sortBy?: string | undefined },
): Promise<ImagePage> {
  const filter = { jobId, userId: scopeOf(caller, userId) };
  const order = LIST_ORDERS.find((known) => known === sortBy) ?? 'newest';
  const ids = await listItemIds(deps.db, { ...filter, order, limit: Math.min(limit, MAX_LISTED), offset });
  const total = await countListed(deps.db, filter);
  const items = abridgedToFit(await readBounded(deps.db, ids, MAX_LIST_BYTES), MAX_LIST_BYTES);
  return { items, total, hasMore: offset + ids.length < total };
}

/** What older front ends show of a user's images as a whole. @throws AppError user_mismatch */
export async function imageStats(deps: Deps, caller: Caller, { userId, jobId }: WantedImages) {
  const types = await listedByType(deps.db, { jobId, userId: scopeOf(caller, userId) });
  const sum = (of: (type: (typeof types)[number]) => number) => types.reduce((before, type) => before + of(type), 0);
  const totalImages = sum(({ items }) => items);
  const imagesWithData = sum(({ readable }) => readable);
  const formatBreakdown: Record<string, number> = {};
  for (const { mimeType, items } of types) {
    const format = formatOf(mimeType);
    if (format !== null) formatBreakdown[format] = (formatBreakdown[format] ?? 0) + items;
  }
  return {
    totalImages,
    totalSize: sum(({ bytes }) => bytes),
    formatBreakdown,
    imagesWithData,
    imagesWithoutData: totalImages - imagesWithData,
  };
}

/** A type as older systems name it, by its extension: `png`, `jpg`. */
export function formatOf(mimeType: string | null): string | null {
  return mimeType === null ? null : (mediaTypeByMime(mimeType)?.ext ?? null);
}

interface LabelName {
  runId: string;
  /** The owner, when a service asks for a label. */
  userId?: string | undefined;
}

interface LabelledMedia {
  /** Undefined: the id is only a label. */
  run: Run | undefined;
  owner: string;
  ids: string[];
}

/** Readable items with bytes that bear a run's id, all of one owner. @throws AppError not_found */
async function mediaUnderId(deps: Deps, caller: Caller, { runId, userId: wanted }: LabelName): Promise<LabelledMedia> {
  const reader: Reader = { type: 'caller', caller };
  const run = await findRun(deps.db, runId);
  if (run && !mayReach(caller, run.userId)) return refuseReading(reader);
  const userId = run?.userId ?? (isAdmin(caller) ? wanted : caller.sub);
  const found = await mediaOfRunIds(deps.db, { runId, userId, limit: MAX_RUN_ITEMS });
  if (new Set(found.map((item) => item.userId)).size > 1)
    throw new AppError(
      'ambiguous',
      "Items of several users have that run id; send the owner's id as the query parameter 'userId'.",
      { field: 'userId' },
    );
  const owner = userId ?? found[0]?.userId;
  if (owner === undefined || (!run && found.length === 0)) return refuseReading(reader);
  return { run, owner, ids: found.filter((item) => item.userId === owner).map(({ id }) => id) };
}

/** The first output of a run, and the number of its outputs. @throws AppError not_found */
export async function firstOfRun(
  deps: Deps,
  caller: Caller,
  name: LabelName,
): Promise<{ item: MediaItem; count: number }> {
  const { ids } = await mediaUnderId(deps, caller, name);
  const [item] = await readBounded(deps.db, ids.slice(0, 1));
  return item ? { item, count: ids.length } : refuseReading({ type: 'caller', caller });
}

/** A run in the form of metadata.json, with as many items as fit. @throws AppError not_found */
export async function describeRun(
  deps: Deps,
  caller: Caller,
  name: LabelName,
): Promise<{ metadata: JsonObject; items: MediaItem[]; moreItems: boolean }> {
  const { runId } = name;
  const { run, owner, ids } = await mediaUnderId(deps, caller, name);
  const items = itemsThatFit(await readBounded(deps.db, ids, MAX_RUN_BYTES / 2), MAX_RUN_BYTES);
  const locations = await locationsOfMany(
    deps.db,
    items.map((item) => item.id),
  );
  const outputs = items.map((item) => {
    const places = locations.get(item.id) ?? [];
    const place = run ? placeInRun(run, places) : { in: 'nowhere' as const };
    return { ...runEntry(item, place, places), filename: places[0]?.key.split('/').at(-1) ?? '' };
  });
  const [first] = items;
  const head = run
    ? runHead(run)
    : {
        run_id: runId,
        user_id: owner,
        timestamp: first?.createdAt ?? null,
        schema: null,
        execution_mode: null,
        safety_level: null,
        input_text: first?.prompt ?? null,
        transformed_text: null,
      };
  return { metadata: { ...head, outputs }, items, moreItems: items.length < ids.length };
}

/** Stores images that a front end received one by one; a job's webhooks yield the same items. @throws AppError invalid_request */
export async function saveImages(
  deps: Deps,
  caller: Caller,
  { userId, body, signal }: { userId: string | undefined; body: unknown; signal: AbortSignal },
): Promise<MediaItem[]> {
  const { jobId, prompt, response } = savedImages(body);
  const input = { userId, prompt };
  const answer = runpod.parse(response);
  if (answer.outputs.length === 0)
    throw new AppError(
      'invalid_request',
      "There is no image in the body: give 'image' or 'images' with 'data', 's3Key', 'networkVolumePath' or a URL.",
      { field: 'image' },
    );
  if (jobId === undefined)
    return (await importAnswer(deps, { caller, provider: 'runpod', input, response, signal })).items;
  const request = { caller, provider: 'generation', input, response, signal };
  return (await importJob(deps, { ...request, jobId, answer })) ?? storeWithoutJob(deps, request, answer, jobId);
}

/** The path of an item on the volume as back ends mount it; null when it lies elsewhere. */
export function networkVolumePath({ stores }: Pick<Deps, 'stores'>, item: MediaItem): string | null {
  if (item.storageKey === null || item.storageProvider === null || !stores.has(item.storageProvider)) return null;
  return stores.get(item.storageProvider).mountedPath(item.storageKey) ?? item.storageKey;
}
