import { outputKey, sceneKey } from '../../storage/keys.ts';
import type { Deps } from '../deps.ts';
import type { ItemFields } from '../items/item-fields.ts';
import type { StageRequest } from './stage.ts';

/** Where to write, the wanted store first. An explicitly named store has no fallbacks. */
export function routesFor({ stores }: Pick<Deps, 'stores'>, { store }: ItemFields): StageRequest['stores'] {
  if (store === undefined) return [stores.primary, ...stores.fallbacks];
  return [stores.get(store)];
}

/** The key of an item of these fields, unless it belongs in a run's folder. */
export function keyFor(fields: ItemFields, filename: string | undefined, ext: string): string {
  if (fields.projectId !== undefined && fields.sceneId !== undefined)
    return sceneKey(fields.projectId, fields.sceneId, ext);
  return outputKey({ userId: fields.userId, subfolder: fields.subfolder, filename, ext });
}
