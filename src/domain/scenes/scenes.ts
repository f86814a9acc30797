import type { MediaItem } from '../../db/item-columns.ts';
import { findScene, findVersion, setCurrentItem } from '../../db/items/scenes.ts';
import { findItem } from '../../db/items/items.ts';
import { AppError } from '../../errors.ts';
import { type Caller, mayReach } from '../caller.ts';
import type { Deps } from '../deps.ts';
import { type IngestRequest, type IngestResult, ingest } from '../ingest/ingest.ts';
import { withDecided } from '../ingest/with-decided.ts';
import { type SearchDeps, type SearchPage, search } from '../search/search.ts';
import type { ItemInput } from '../items/item-fields.ts';
import { checkText } from '../items/text-limits.ts';

/** A named slot in a project. */
export interface SceneName {
  projectId: string;
  sceneId: string;
}

async function ownedScene(deps: Deps, caller: Caller, { projectId, sceneId }: SceneName) {
  checkText('sceneId', sceneId, 255);
  const scene = await findScene(deps.db, projectId.toLowerCase(), sceneId);
  if (!scene || !mayReach(caller, scene.owner))
    throw new AppError('not_found', 'There is no such scene, or this token may not see it.');
  return scene;
}

/** @throws AppError not_found: the scene that the fields name is another user's */
export async function checkScene(
  { db }: Pick<Deps, 'db'>,
  userId: string,
  { projectId, sceneId }: Pick<ItemInput, 'projectId' | 'sceneId'>,
): Promise<void> {
  if (projectId === undefined || sceneId === undefined) return;
  const scene = await findScene(db, projectId.toLowerCase(), sceneId);
  if (scene && scene.owner !== userId)
    throw new AppError('not_found', 'There is no such scene, or it belongs to another user.', { field: 'sceneId' });
}

/** Stores the next version of a scene. The path names the scene; fields of the request that name one are ignored. @throws AppError */
export function storeVersion(deps: Deps, request: IngestRequest, scene: SceneName): Promise<IngestResult> {
  return ingest(deps, { ...withDecided(request, scene), keepPending: true });
}

/** The current version of a scene. @throws AppError not_found: no such scene, or all of its versions were deleted */
export async function currentVersion(deps: Deps, caller: Caller, name: SceneName): Promise<MediaItem> {
  const { currentItemId } = await ownedScene(deps, caller, name);
  const item = currentItemId === undefined ? undefined : await findItem(deps.db, currentItemId);
  if (!item || item.deletedAt !== null) throw new AppError('not_found', 'The scene has no version (any more).');
  return item;
}

/** The versions of a scene, newest first. @throws AppError not_found, invalid_cursor */
export async function sceneVersions(
  deps: SearchDeps,
  caller: Caller,
  name: SceneName,
  page: { limit: number; cursor: string | undefined },
): Promise<SearchPage> {
  const { owner } = await ownedScene(deps, caller, name);
  const filter = { projectId: name.projectId.toLowerCase(), sceneId: name.sceneId, userId: owner };
  return search(deps, caller, { filter, order: 'desc', ...page });
}

/** Makes a version the current one, an earlier or a later one. @throws AppError not_found */
export async function rollBack(deps: Deps, caller: Caller, name: SceneName, version: number): Promise<MediaItem> {
  await ownedScene(deps, caller, name);
  const projectId = name.projectId.toLowerCase();
  return deps.db.transaction().execute(async (trx) => {
    const id = await findVersion(trx, projectId, name.sceneId, version);
    if (id === undefined)
      throw new AppError('not_found', `The scene has no version ${version}, or it was deleted.`, { field: 'version' });
    await setCurrentItem(trx, projectId, name.sceneId, id);
    const item = await findItem(trx, id);
    if (!item) throw new AppError('not_found', 'The version was removed meanwhile.');
    return item;
  });
}
