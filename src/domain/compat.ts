import { findMediaOfRun } from '../db/run-outputs.ts';
import { findRun } from '../db/runs.ts';
import { listItems } from '../db/search.ts';
import { findByExternalId, findItem, findItemsByExternalId } from '../db/media.ts';
import { locationsOfMany } from '../db/locations.ts';
import type { MediaItem } from '../db/media-item.ts';
import type { JsonObject } from '../db/tables.ts';
import { AppError } from '../errors.ts';
import { runpodAnswer } from '../sources/answers/runpod.ts';
import { savedImages } from '../sources/answers/saved-image.ts';
import { type Caller, isAdmin } from './caller.ts';
import type { Deps } from './deps.ts';
import { importAnswer } from './import-answer.ts';
import { importJob } from './import-job.ts';
import { type Reader, isReadable, refuseReading } from './read.ts';
import { placeInRun, runEntry, runHead } from './run-metadata.ts';
import { scopeOf } from './search.ts';

/** Newest first; older systems paged by offset, which costs what was left out. @throws AppError user_mismatch */
export function imagesByOffset(
  deps: Deps,
  caller: Caller,
  { userId, ...page }: { userId?: string | undefined; jobId?: string | undefined; limit: number; offset: number },
): Promise<MediaItem[]> {
  return listItems(deps.db, { ...page, userId: scopeOf(caller, userId) });
}

/**
 * An item by the id that it had in an older system, else by its own: these routes are there for old links. What a user owns comes before
 * what is public, and of an id that several users' public items bear nobody knows whose is meant.
 * @throws AppError not_found, token_missing
 */
export async function itemByAnyId(deps: Deps, reader: Reader, id: string): Promise<MediaItem> {
  const caller = reader.type === 'caller' ? reader.caller : undefined;
  const mine = caller && !isAdmin(caller) ? await findByExternalId(deps.db, caller.sub, id) : [];
  const alive = mine.findLast((item) => item.deletedAt === null);
  if (alive) return alive;
  const older = (await findItemsByExternalId(deps.db, id, 100)).filter((item) => isReadable(reader, item));
  if (caller && isAdmin(caller) && older[0]) return older[0];
  const own = /^[1-9]\d{0,18}$/.test(id) ? await findItem(deps.db, id) : undefined;
  if (own && isReadable(reader, own)) return own;
  return ofOneUser(older)[0] ?? refuseReading(reader);
}

/** The n-th output of a kind (1: the first) that a run has and the reader may have. @throws AppError not_found, token_missing */
export async function mediaOfRun(
  deps: Deps,
  reader: Reader,
  { runId, mediaType, n }: { runId: string; mediaType?: string | undefined; n: number },
): Promise<MediaItem> {
  const readable = (await itemsOfRun(deps, runId)).filter((item) => isReadable(reader, item));
  const { caller } = reader.type === 'caller' ? reader : { caller: undefined };
  const mine = readable.filter((item) => item.userId === caller?.sub);
  const items = mine.length > 0 ? mine : ofOneUser(readable);
  const wanted = items.filter((item) => mediaType === undefined || item.mediaType === mediaType);
  return wanted[n - 1] ?? refuseReading(reader);
}

/** Items that are all of one user; none, when anybody could have slipped one in. */
function ofOneUser(items: readonly MediaItem[]): readonly MediaItem[] {
  return new Set(items.map((item) => item.userId)).size === 1 ? items : [];
}

/** The items with bytes that bear a run's id, oldest first; those of its owner, where there is a run and not a mere label. */
async function itemsOfRun(deps: Deps, runId: string): Promise<MediaItem[]> {
  const run = await findRun(deps.db, runId);
  return findMediaOfRun(deps.db, { runId, userId: run?.userId });
}

/** All that is known of a run, as metadata.json tells it, and its items. @throws AppError not_found */
export async function describeRun(
  deps: Deps,
  caller: Caller,
  runId: string,
): Promise<{ metadata: JsonObject; items: MediaItem[] }> {
  const reader: Reader = { type: 'caller', caller };
  const run = await findRun(deps.db, runId);
  const items = (await itemsOfRun(deps, runId)).filter((item) => isReadable(reader, item, 'record'));
  const [first] = items;
  if (run ? !isReadable(reader, { userId: run.userId, visibility: 'private', deletedAt: null }, 'record') : !first)
    return refuseReading(reader);
  const owner = run?.userId ?? first?.userId;
  const own = items.filter((item) => item.userId === owner);
  const locations = await locationsOfMany(
    deps.db,
    own.map((item) => item.id),
  );
  const outputs = own.map((item) => {
    const places = locations.get(item.id) ?? [];
    const place = run ? placeInRun(run, places) : { in: 'nowhere' as const };
    return { ...runEntry(item, place, places), filename: places[0]?.key.split('/').at(-1) ?? '' };
  });
  const head = run
    ? runHead(run)
    : { run_id: runId, user_id: owner ?? null, timestamp: first?.createdAt ?? null, input_text: first?.prompt ?? null };
  return { metadata: { ...head, outputs }, items: own };
}

/** Stores images that a front end got in pieces: those of a job are the same as its webhooks tell of. @throws AppError invalid_request */
export async function saveImages(
  deps: Deps,
  caller: Caller,
  { userId, body, signal }: { userId: string | undefined; body: unknown; signal: AbortSignal },
): Promise<MediaItem[]> {
  const { jobId, prompt, response } = savedImages(body);
  const input = { userId, prompt };
  const answer = runpodAnswer(response);
  if (answer.outputs.length === 0)
    throw new AppError(
      'invalid_request',
      "There is no image in the body: give 'image' or 'images' with 'data', 's3Key', 'networkVolumePath' or a URL.",
      { field: 'image' },
    );
  if (jobId === undefined) return importAnswer(deps, { caller, provider: 'runpod', input, response, signal });
  return importJob(deps, { caller, provider: 'generation', jobId, input, response, answer, signal });
}

/** Where an item lies on the volume, as back ends that have mounted it see it; null when it lies elsewhere. */
export function networkVolumePath({ stores }: Pick<Deps, 'stores'>, item: MediaItem): string | null {
  if (item.storageKey === null || item.storageProvider === null || !stores.has(item.storageProvider)) return null;
  const store = stores.get(item.storageProvider);
  const [alias] = store.aliases;
  return alias === undefined ? item.storageKey : `${alias.replace(/(?<!\/)\/+$/, '')}/${item.storageKey}`;
}
