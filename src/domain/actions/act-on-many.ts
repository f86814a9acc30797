import { randomUUID } from 'node:crypto';
import { insertTask } from '../../db/tasks.ts';
import { countItems, matchingIds } from '../../db/search/search.ts';
import type { ItemFilter } from '../../db/search/item-filter.ts';
import { type Caller, isAdmin } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { findItemIds } from '../../db/items/items.ts';
import { type WantedItems, checkFilter, scopeOf } from '../search/search.ts';
import { type Action, act } from './action.ts';

/** More matches become a task. */
const MAX_AT_ONCE = 1000;
const TOGETHER = 4;

export interface ActionRequest {
  caller: Caller;
  action: Action;
  which: { ids: readonly string[] } | { filter: WantedItems };
  dryRun: boolean;
}

export interface ActionOutcome {
  matched: number;
  done: number;
  failed: { id: string; error: unknown }[];
}

/** Acts on the items that the caller may reach; on more than `MAX_AT_ONCE` by a task. @throws AppError invalid_request */
export async function actOnMany(
  deps: Deps,
  { caller, action, which, dryRun }: ActionRequest,
): Promise<ActionOutcome | { taskId: string }> {
  if ('ids' in which) {
    const ids = [...new Set(which.ids)];
    const matched = (await findItemIds(deps.db, ids, isAdmin(caller) ? undefined : caller.sub)).length;
    if (dryRun) return { matched, done: 0, failed: [] };
    return { matched, ...(await actOnEach(deps, caller, ids, action)) };
  }
  const filter = filterFor(caller, action, which.filter);
  if (dryRun) return { matched: await countItems(deps.db, filter), done: 0, failed: [] };
  const ids = await matchingIds(deps.db, { filter, after: '0', limit: MAX_AT_ONCE + 1 });
  if (ids.length <= MAX_AT_ONCE) return { matched: ids.length, ...(await actOnEach(deps, caller, ids, action)) };
  const taskId = randomUUID();
  await insertTask(deps.db, {
    id: taskId,
    userId: caller.sub,
    admin: isAdmin(caller),
    action: action.action,
    request: { action, filter },
    matched: await countItems(deps.db, filter),
  });
  return { taskId };
}

/** The filter of the search, for the items that the action can change. */
function filterFor(caller: Caller, { action }: Action, wanted: WantedItems): ItemFilter {
  const deleted = wanted.deleted ?? (action === 'restore' ? 'only' : undefined);
  return checkFilter({ ...wanted, deleted, userId: scopeOf(caller, wanted.userId) });
}

/** Acts on items one by one, a few at a time: one that fails leaves the others as they are. */
export async function actOnEach(
  deps: Deps,
  caller: Caller,
  ids: readonly string[],
  action: Action,
): Promise<Omit<ActionOutcome, 'matched'>> {
  const failed: ActionOutcome['failed'] = [];
  const left = [...ids];
  const next = async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      const current = id;
      await act(deps, caller, current, action).catch((error: unknown) => failed.push({ id: current, error }));
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, next));
  return { done: ids.length - failed.length, failed };
}
