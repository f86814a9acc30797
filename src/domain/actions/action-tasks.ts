import { finishTask, findTask, recordProgress, renewTask, takeTask, type Task } from '../../db/tasks.ts';
import { matchingIds } from '../../db/search/search.ts';
import type { ItemFilter } from '../../db/search/item-filter.ts';
import { AppError, isAppError } from '../../errors.ts';
import { type Caller, mayReach } from '../caller.ts';
import type { Deps } from '../deps.ts';
import type { Action } from './action.ts';
import { actOnEach } from './act-on-many.ts';

const BATCH = 100;

/** A task as its caller may see it. @throws AppError not_found */
export async function readTask(deps: Pick<Deps, 'db'>, caller: Caller, id: string): Promise<Task> {
  const task = await findTask(deps.db, id);
  if (!task || !mayReach(caller, task.userId))
    throw new AppError('not_found', 'There is no such task, or this token may not see it.');
  return task;
}

/**
 * Goes on with a task that no other worker is at, until it is done or the turn ends. Items are taken in the order of their ids, so a
 * task that was stopped goes on behind the last one; to act twice changes nothing.
 * @returns whether there was one
 */
export async function runActionTask(deps: Deps, signal: AbortSignal | undefined, until: number): Promise<boolean> {
  const task = await takeTask(deps.db);
  if (!task) return false;
  const { action, filter } = task.request as unknown as { action: Action; filter: ItemFilter };
  const caller: Caller = {
    sub: task.userId,
    scopes: new Set(task.admin ? ['media:write', 'media:admin'] : ['media:write']),
  };
  let after = task.after;
  while (signal?.aborted !== true && Date.now() < until) {
    const ids = await matchingIds(deps.db, { filter, after, upTo: task.upTo, limit: BATCH });
    if (ids.length === 0) {
      await finishTask(deps.db, task.id);
      deps.log.info({ taskId: task.id, action: task.action }, `the task '${task.action}' has ended`);
      return true;
    }
    const { done, failed } = await actOnEach(deps, caller, ids, action);
    after = ids.at(-1) ?? after;
    const told = failed.map(({ id, error }) => ({
      id,
      code: isAppError(error) ? error.code : 'internal',
      detail: isAppError(error) ? error.message : 'Something went wrong inside the service.',
    }));
    for (const { id, error } of failed)
      if (!isAppError(error)) deps.log.error({ err: error, itemId: id, taskId: task.id }, 'an item of a task failed');
    if (!(await recordProgress(deps.db, task, { after, done, failed: told }))) return true;
  }
  await renewTask(deps.db, task, 0);
  return true;
}
