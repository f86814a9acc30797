import type { MediaItem } from '../../db/item-columns.ts';
import type { JsonObject } from '../../json/json.ts';
import { type GenerationJob, findJob, lockJob, updateJob } from '../../db/jobs/jobs.ts';
import { reviveFetches } from '../../db/jobs/fetches.ts';
import { type JobName, findJobOutputs } from '../../db/jobs/job-outputs.ts';
import { enqueue } from '../../db/queue/enqueue.ts';
import { byId, readBounded } from '../../db/items/item-pages.ts';
import { lockItemsWithoutBytes, updateItem } from '../../db/items/items.ts';
import { reviveCurrentItem } from '../../db/items/scenes.ts';
import { AppError } from '../../errors.ts';
import { type Caller, mayReach, ownerFor } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { checkParent } from '../ingest/ingest.ts';
import { type ItemInput, checkFields } from '../items/item-fields.ts';
import { unpark } from '../webhooks/parked-webhooks.ts';
import { assertOpen, checkDestination, findRunOf } from '../staging/destination.ts';
import { checkScene } from '../scenes/scenes.ts';
import { type SearchDeps, type SearchPage, search } from '../search/search.ts';
import { checkText } from '../items/text-limits.ts';

function notFound(): AppError {
  return new AppError('not_found', 'There is no such job, or this token may not see it.');
}

/** The job, if the caller may see it. @throws AppError not_found */
export async function readJob(deps: Pick<Deps, 'db'>, caller: Caller, name: JobName): Promise<GenerationJob> {
  const job = await findJob(deps.db, name);
  if (!job || !mayReach(caller, job.userId)) throw notFound();
  return job;
}

/**
 * Registers a job, with the fields of its items, before its webhook arrives. Registering again changes the fields of later items.
 * Parked webhooks that name this user, or no user, are processed now.
 * @throws AppError not_found: the job is another user's; and as for the fields of an item
 */
export async function registerJob(
  deps: Deps,
  caller: Caller,
  name: JobName,
  input: ItemInput,
): Promise<{ job: GenerationJob; made: boolean }> {
  checkText('jobId', name.jobId, 500);
  const userId = ownerFor(caller, input.userId);
  const checked = checkFields({ ...input, provider: input.provider ?? name.provider }, userId);
  assertOpen(await findRunOf(deps, checked));
  const { userId: _owner, ...fields } = checked;
  await checkDestination(deps, checked);
  await checkParent(deps, caller, fields.parentId);
  await checkScene(deps, userId, fields);
  const kept = JSON.parse(JSON.stringify(fields)) as JsonObject;
  const registered = await deps.db.transaction().execute(async (trx) => {
    const { job, made } = await lockJob(trx, name, { userId, fields: kept });
    if (made) return { job, made };
    if (job.userId !== userId) throw notFound();
    return { job: await updateJob(trx, name, { fields: kept }), made };
  });
  const items = await unpark(deps, registered.job);
  return items.length === 0 ? registered : { ...registered, job: await readJob(deps, caller, name) };
}

/** The items of a job, newest first. @throws AppError not_found, invalid_cursor */
export async function jobItems(
  deps: SearchDeps,
  caller: Caller,
  name: JobName,
  page: { limit: number; cursor: string | undefined },
): Promise<SearchPage> {
  const job = await readJob(deps, caller, name);
  return search(deps, caller, {
    filter: { ofJob: { provider: job.provider, jobId: job.jobId }, userId: job.userId },
    order: 'desc',
    ...page,
  });
}

/** Items that a retry returns; listing the job returns all. */
const MAX_ANSWERED = 200;

/** Retries the fetch of a job's items that have no bytes. Returns the first of those items. @throws AppError not_found */
export async function retryJob(deps: Deps, caller: Caller, name: JobName): Promise<MediaItem[]> {
  const { userId } = await readJob(deps, caller, name);
  return deps.db.transaction().execute(async (trx) => {
    // An admin may have released it to another user since it was read.
    if ((await lockJob(trx, name, { userId })).job.userId !== userId) throw notFound();
    const ids = [...(await findJobOutputs(trx, name)).keys()];
    const revived = await reviveFetches(trx, await lockItemsWithoutBytes(trx, ids));
    if (revived.length === 0) return [];
    for (const id of revived) {
      await updateItem(trx, id, { status: 'pending', error: null });
      await reviveCurrentItem(trx, id);
    }
    for (const task of ['fetch', 'fetch-at-hand'] as const) await enqueue(trx, task, revived.length);
    return readBounded(trx, revived.toSorted(byId).slice(0, MAX_ANSWERED));
  });
}
