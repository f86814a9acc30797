import type { Trx } from '../../db/database.ts';
import { type NewFetch, extendFetch, isAtHand } from '../../db/jobs/fetches.ts';
import { type JobName, addJobOutputs, findJobOutputs, removeJobOutput } from '../../db/jobs/job-outputs.ts';
import { enqueue, fetchTask } from '../../db/queue/enqueue.ts';
import { findItemForUpdate, findStoredItemByKey, updateItem } from '../../db/items/items.ts';
import { touchRun } from '../../db/runs/runs.ts';
import { findScene, reviveCurrentItem } from '../../db/items/scenes.ts';
import type { Deps } from '../deps.ts';
import type { ItemFields } from '../items/item-fields.ts';
import { FAILURE, matchOutputs } from './output-identity.ts';
import { insertFailedItem, insertPendingItem } from '../ingest/pending-item.ts';

/** One output of a job and the places that have its bytes. */
export interface NewOutput {
  /** From `identifyOutputs`. */
  identities: readonly string[];
  fields: ItemFields;
  wanted: NewFetch;
  /** Why no place has the bytes, when none does. */
  unreachable?: string | undefined;
}

/** The item of an output. */
export interface RecordedOutput {
  id: string;
}

/**
 * Inserts a pending item for each new output and adds what is new to the known ones. However often and in whatever order a job's
 * outputs are reported, the result is one set of items. The caller has locked the job (`lockJob`); a worker fetches pending items
 * once the transaction commits. Returns the items in the order of the outputs.
 */
export async function recordOutputs(
  deps: Deps,
  trx: Trx,
  job: JobName,
  outputs: readonly NewOutput[],
): Promise<RecordedOutput[]> {
  const known = await findJobOutputs(trx, job);
  const matches = matchOutputs(
    outputs.map((output) => output.identities),
    known,
  );
  for (const [index, output] of outputs.entries()) matches[index] ??= await ownItemOf(trx, output, matches);
  // The item of the job's failure becomes its first new output.
  const failure = [...known].find(([, identities]) => identities.has(FAILURE))?.[0];
  const failed = failure === undefined ? undefined : await findItemForUpdate(trx, failure);
  const successor = failed?.deletedAt === null ? matches.indexOf(undefined) : -1;
  // Lock existing items in one order and before any scene, as deletions do.
  const there = outputs
    .flatMap((output, index) => (matches[index] === undefined ? [] : [{ id: matches[index], output }]))
    .toSorted((one, other) => (BigInt(one.id) < BigInt(other.id) ? -1 : 1));
  for (const { id, output } of there) await extendItem(trx, id, output);
  const recorded: RecordedOutput[] = [];
  for (const [index, output] of outputs.entries()) {
    const into = index === successor ? failure : undefined;
    if (into !== undefined) await removeJobOutput(trx, job, into, FAILURE);
    const id = matches[index] ?? (await insertNew(deps, trx, output, into));
    recorded.push({ id });
  }
  await addJobOutputs(
    trx,
    job,
    outputs.map(({ identities }, index) => ({ mediaId: recorded[index]?.id ?? '', identities })),
  );
  const wanted = outputs.filter(({ wanted: { held, sources } }) => held !== true && sources.length > 0);
  for (const atHand of [true, false]) {
    const jobs = wanted.filter(({ wanted: { sources } }) => isAtHand(sources) === atHand).length;
    if (jobs > 0) await enqueue(trx, fetchTask(atHand), jobs);
  }
  // Last, because it locks the run's row.
  const [first] = outputs;
  if (first) await touchRun(trx, first.fields.runId, first.fields.userId);
  return recorded;
}

/** An object that is already an item of this user, through another job or without one, stays that item. */
async function ownItemOf(
  trx: Trx,
  { wanted, fields }: NewOutput,
  taken: readonly (string | undefined)[],
): Promise<string | undefined> {
  for (const source of wanted.sources) {
    if (source.type !== 'object') continue;
    const item = await findStoredItemByKey(trx, source.store, source.key);
    if (item?.userId === fields.userId && item.deletedAt === null && !taken.includes(item.id)) return item.id;
  }
  return undefined;
}

async function insertNew(
  deps: Deps,
  trx: Trx,
  { fields: said, wanted, unreachable }: NewOutput,
  into: string | undefined,
): Promise<string> {
  const fields = await withReachableScene(deps, trx, said);
  const item =
    wanted.sources.length > 0 || wanted.held === true
      ? await insertPendingItem(deps, trx, fields, wanted, into)
      : await insertFailedItem(deps, trx, fields, unreachable ?? 'Nothing was said of where the bytes are.', into);
  return item.id;
}

/** When the scene now belongs to another user, the picture is stored without it rather than lost. */
async function withReachableScene(deps: Deps, trx: Trx, fields: ItemFields): Promise<ItemFields> {
  const { projectId, sceneId, userId } = fields;
  if (projectId === undefined || sceneId === undefined) return fields;
  const scene = await findScene(trx, projectId, sceneId);
  if (!scene || scene.owner === userId) return fields;
  deps.log.warn(
    { projectId, sceneId, userId, jobId: fields.jobId },
    'the scene of a job is another user’s; its outputs are stored without it',
  );
  const note = `The scene ${sceneId} of project ${projectId} is another user's.`;
  return { ...fields, projectId: undefined, sceneId: undefined, generation: { ...fields.generation, note } };
}

/** Adds further places to a known item that has no bytes yet. */
async function extendItem(trx: Trx, id: string, { wanted, fields }: NewOutput): Promise<void> {
  // The item before its fetch: the order in which a running fetch locks them.
  const item = await findItemForUpdate(trx, id);
  if (
    !item ||
    item.deletedAt !== null ||
    item.storageKey !== null ||
    (wanted.sources.length === 0 && wanted.held !== true)
  )
    return;
  await extendFetch(trx, id, wanted);
  if (item.status === 'failed') {
    const url = wanted.sources.find((source) => source.type === 'url')?.url;
    const change = {
      status: 'pending',
      error: null,
      ...(item.originalUrl === null && url !== undefined && Buffer.byteLength(url) <= 2000 && { original_url: url }),
      ...(item.prompt === '' && { prompt: fields.prompt ?? '' }),
    };
    await updateItem(trx, id, change);
    await reviveCurrentItem(trx, id);
  }
}

/**
 * Records the failure of a job with no outputs, or with only earlier ones (`partial`), as one item, also when it is reported
 * again. Returns undefined when the job has outputs.
 */
export async function recordFailure(
  deps: Deps,
  trx: Trx,
  job: JobName,
  { fields, error, partial = false }: { fields: ItemFields; error: string; partial?: boolean | undefined },
): Promise<string | undefined> {
  const known = await findJobOutputs(trx, job);
  const failure = [...known].find(([, identities]) => identities.has(FAILURE))?.[0];
  if (failure !== undefined || (known.size > 0 && !partial)) return failure;
  const { id } = await insertFailedItem(deps, trx, fields, error);
  await addJobOutputs(trx, job, [{ mediaId: id, identities: [FAILURE] }]);
  await touchRun(trx, fields.runId, fields.userId);
  return id;
}
