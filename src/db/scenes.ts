import { sql } from 'kysely';
import { AppError } from '../errors.ts';
import type { Trx } from './database.ts';

/**
 * Takes the next version of a scene, in the transaction that inserts the item: the row lock makes concurrent writers
 * queue, so versions have no gaps. The first who stores into a scene owns it.
 * @throws AppError not_found when the scene is another user's
 */
export async function takeSceneVersion(trx: Trx, projectId: string, sceneId: string, owner: string): Promise<number> {
  const row = await trx
    .insertInto('scenes')
    .values({ project_id: projectId, scene_id: sceneId, owner, last_version: 1 })
    .onConflict((conflict) =>
      conflict
        .columns(['project_id', 'scene_id'])
        .doUpdateSet({ last_version: sql<number>`scenes.last_version + 1` })
        .where('scenes.owner', '=', owner),
    )
    .returning('last_version')
    .executeTakeFirst();
  if (!row)
    throw new AppError('not_found', 'There is no such scene, or it belongs to another user.', { field: 'sceneId' });
  return row.last_version;
}

export async function setCurrentItem(trx: Trx, projectId: string, sceneId: string, itemId: string): Promise<void> {
  await trx
    .updateTable('scenes')
    .set({ current_item_id: itemId })
    .where('project_id', '=', projectId)
    .where('scene_id', '=', sceneId)
    .execute();
}
