import type { Trx } from '../db/database.ts';
import { type NewFetch, extendFetch } from '../db/fetches.ts';
import { type JobName, addJobOutputs, findJobOutputs, removeJobOutput } from '../db/job-outputs.ts';
import { enqueue } from '../db/jobs.ts';
import { findItemForUpdate, updateItem } from '../db/media.ts';
import { touchRun } from '../db/runs.ts';
import { fillCurrentItem } from '../db/scenes.ts';
import type { Deps } from './deps.ts';
import type { ItemFields } from './item-fields.ts';
import { FAILURE, matchOutputs } from './output-identity.ts';
import { insertFailedItem, insertPendingItem } from './pending-item.ts';

/** One output of a job, and where its bytes can be had. */
export interface NewOutput {
  /** By what it is known again, see `identitiesOf`. */
  identities: readonly string[];
  fields: ItemFields;
  wanted: NewFetch;
  /** Why there is no place to have the bytes from, when there is none. */
  unreachable?: string | undefined;
}

/** The item of an output. */
export interface RecordedOutput {
  id: string;
  /** It was not known before. */
  made: boolean;
}

/**
 * Makes a pending item of each output that is new, and gives those that are known what is new about them; however often, and in
 * whatever order, a job's outputs are told, they end in one set of items. The caller has locked the job (`lockJob`), and a worker
 * fetches what is pending once the transaction commits. Answers the items, in the order of the outputs.
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
  // What was recorded as the failure of the job becomes its first output after all.
  const failure = [...known].find(([, identities]) => identities.has(FAILURE))?.[0];
  const recorded: RecordedOutput[] = [];
  for (const [index, output] of outputs.entries()) {
    let id = matches[index];
    if (id === undefined && failure !== undefined && !recorded.some((each) => each.id === failure)) {
      id = failure;
      await removeJobOutput(trx, job, id, FAILURE);
    }
    const made = id === undefined;
    if (id === undefined) id = await insertNew(deps, trx, output);
    else await extendItem(trx, id, output);
    await addJobOutputs(trx, job, id, output.identities);
    recorded.push({ id, made });
  }
  // Last, for it holds the run's row.
  const [first] = outputs;
  if (first) await touchRun(trx, first.fields.runId, first.fields.userId);
  return recorded;
}

async function insertNew(deps: Deps, trx: Trx, { fields, wanted, unreachable }: NewOutput): Promise<string> {
  const item =
    wanted.sources.length > 0 || wanted.held === true
      ? await insertPendingItem(deps, trx, fields, wanted)
      : await insertFailedItem(deps, trx, fields, unreachable ?? 'Nothing was said of where the bytes are.');
  return item.id;
}

/** An item that was told of before: when it has no bytes yet, there are further places now. */
async function extendItem(trx: Trx, id: string, { wanted, fields }: NewOutput): Promise<void> {
  // The item first, then its fetch: in the order of whoever brings its bytes at this moment.
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
    await fillCurrentItem(trx, id);
  }
  if (wanted.held !== true) await enqueue(trx, 'fetch');
}

/**
 * The failure of a job that has no outputs, or only those that it made before (`partial`), as an item; told again, it stays one.
 * Undefined: there are outputs.
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
  await addJobOutputs(trx, job, id, [FAILURE]);
  await touchRun(trx, fields.runId, fields.userId);
  return id;
}
