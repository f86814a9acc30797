import { AppError } from '../../errors.ts';
import type { Caller } from '../caller.ts';
import { patchItem, purge, restore, retagItem, softDelete } from '../changes/change-item.ts';
import type { Deps } from '../deps.ts';
import { canonicalTag } from '../items/item-fields.ts';

/** What is done to each of many items. */
export type Action =
  | { action: 'delete' | 'restore' | 'purge' }
  | { action: 'tag' | 'untag'; value: readonly string[] }
  | { action: 'visibility'; value: 'private' | 'public' };

export const ACTIONS = ['delete', 'restore', 'purge', 'tag', 'untag', 'visibility'] as const;

/** The action that a caller describes. @throws AppError invalid_request: its value is missing, or is none of that action */
export function actionOf(action: (typeof ACTIONS)[number], value: unknown): Action {
  switch (action) {
    case 'delete':
    case 'restore':
    case 'purge':
      if (value !== undefined) throw refused(`'${action}' takes no 'value'; leave it out.`);
      return { action };
    case 'tag':
    case 'untag': {
      const tags = [value].flat().map((tag) => (typeof tag === 'string' ? canonicalTag(tag) : ''));
      if (tags.length === 0 || tags.includes(''))
        throw refused(`'${action}' needs a tag, or a list of tags, in 'value'.`);
      return { action, value: tags };
    }
    case 'visibility':
      if (value !== 'private' && value !== 'public')
        throw refused("'visibility' needs 'private' or 'public' in 'value'.");
      return { action, value };
    default:
      return action satisfies never;
  }
}

function refused(message: string): AppError {
  return new AppError('invalid_request', message, { field: 'value' });
}

/** Does it to one item. @throws AppError not_found and those of the action */
export async function act(deps: Deps, caller: Caller, id: string, action: Action): Promise<void> {
  switch (action.action) {
    case 'delete':
      return softDelete(deps, caller, id);
    case 'restore':
      return void (await restore(deps, caller, id));
    case 'purge':
      return purge(deps, caller, id);
    case 'tag':
      return void (await retagItem(deps, caller, id, { add: action.value }));
    case 'untag':
      return void (await retagItem(deps, caller, id, { remove: action.value }));
    case 'visibility':
      return void (await patchItem(deps, caller, id, { patch: { visibility: action.value } }));
    default:
      return action satisfies never;
  }
}
