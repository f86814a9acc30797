import { freeRunSlot, takeRunSlot } from '../../db/runs/run-outputs.ts';
import { type Run, findRun } from '../../db/runs/runs.ts';
import { AppError } from '../../errors.ts';
import { outputKey, runKey, runSlotOf, sceneKey } from '../../storage/keys.ts';
import type { Deps } from '../deps.ts';
import type { ItemFields } from '../items/item-fields.ts';
import type { StageRequest } from './stage.ts';

/** Where the bytes of an item go. */
export type Destination = Pick<StageRequest, 'stores' | 'keyFor' | 'keyUnused'>;

/** Maximum outputs of one type per run. */
const MAX_RUN_OUTPUTS = 1000;

/** The user's run that an item belongs to; undefined when `runId` names none and so is only a label. */
export async function findRunOf({ db }: Pick<Deps, 'db'>, { runId, userId }: ItemFields): Promise<Run | undefined> {
  const run = runId === undefined ? undefined : await findRun(db, runId);
  return run?.userId === userId ? run : undefined;
}

/** @throws AppError run_completed */
export function assertOpen(run: Run | undefined): void {
  if (run && run.completedAt !== null)
    throw new AppError('run_completed', 'The run has been completed; store further media in a new run.', {
      field: 'runId',
    });
}

/** Stores and keys for an item of these fields: those of its run, if it has one. @throws AppError unknown_store */
export function destinationOf(
  deps: Pick<Deps, 'db' | 'stores'>,
  fields: ItemFields,
  filename: string | undefined,
  run: Run | undefined,
): Destination {
  if (!run) return { stores: routesFor(deps, fields), keyFor: (ext) => keyFor(fields, filename, ext) };
  return {
    stores: runRoutes(deps, run, fields),
    keyFor: (ext, { type, store }) =>
      runOutputKey(deps, { runId: run.id, store: store.name, type: type.mediaType, ext }),
    keyUnused: async ({ store, key }) => {
      const slot = runSlotOf(key.split('/').at(-1) ?? '');
      if (slot) await freeRunSlot(deps.db, { runId: run.id, store, ...slot });
    },
  };
}

/**
 * Checks that items of these fields can be stored, while the caller can still correct them: a worker could only fail.
 * @throws AppError invalid_request, unknown_store
 */
export async function checkDestination(deps: Pick<Deps, 'db' | 'stores'>, fields: ItemFields): Promise<void> {
  const run = await findRunOf(deps, fields);
  destinationOf(deps, fields, undefined, run);
  if (!run) keyFor(fields, undefined, 'bin');
}

/** Where to write, the wanted store first. An explicitly named store has no fallbacks. */
function routesFor({ stores }: Pick<Deps, 'stores'>, { store }: ItemFields): StageRequest['stores'] {
  if (store === undefined) return [stores.primary, ...stores.fallbacks];
  return [stores.get(store)];
}

/** The key of an item of these fields, unless it belongs in a run's folder. */
function keyFor(fields: ItemFields, filename: string | undefined, ext: string): string {
  if (fields.projectId !== undefined && fields.sceneId !== undefined)
    return sceneKey(fields.projectId, fields.sceneId, ext);
  return outputKey({ userId: fields.userId, subfolder: fields.subfolder, filename, ext });
}

/** A run stays in one store: its own comes first, whichever is the primary now. */
function runRoutes({ stores }: Pick<Deps, 'stores'>, run: Run, { store }: ItemFields): StageRequest['stores'] {
  const wanted = stores.has(run.store) ? stores.get(run.store) : stores.primary;
  if (store !== undefined && store !== wanted.name)
    throw new AppError('invalid_request', `The run lies in the store '${wanted.name}'; leave 'store' out.`, {
      field: 'store',
    });
  return [wanted, ...[stores.primary, ...stores.fallbacks].filter((other) => other !== wanted)];
}

export interface RunOutputName {
  runId: string;
  store: string;
  /** `image`, `audio`, `video` or `model`. */
  type: string;
  ext: string;
  /** The number to take if it is free in that store. */
  wanted?: number | undefined;
}

/** Reserves a key in a run's folder. @throws AppError too_large */
export async function runOutputKey(
  { db }: Pick<Deps, 'db'>,
  { runId, store, type, ext, wanted }: RunOutputName,
): Promise<string> {
  const n = await takeRunSlot(db, { runId, store, type, wanted });
  if (n > MAX_RUN_OUTPUTS) {
    await freeRunSlot(db, { runId, store, type, n });
    throw new AppError(
      'too_large',
      `A run may have at most ${MAX_RUN_OUTPUTS} outputs of one type; begin another run.`,
      {
        field: 'runId',
      },
    );
  }
  return runKey(runId, type, n, ext);
}
