import { sql } from 'kysely';
import type { Db, Trx } from '../database.ts';
import { SceneTaken } from '../failure.ts';

/**
 * Gives an existing item the next version of a scene and makes it the current one. The row lock serialises concurrent writers, so
 * versions have no gaps. The first user who stores into a scene owns it.
 * @throws SceneTaken
 */
export async function takeSceneVersion(
  trx: Trx,
  projectId: string,
  sceneId: string,
  owner: string,
  itemId: string,
): Promise<number> {
  const row = await trx
    .insertInto('scenes')
    .values({ project_id: projectId, scene_id: sceneId, owner, last_version: 1, current_item_id: itemId })
    .onConflict((conflict) =>
      conflict
        .columns(['project_id', 'scene_id'])
        .doUpdateSet({ last_version: sql<number>`scenes.last_version + 1`, current_item_id: itemId })
        .where('scenes.owner', '=', owner),
    )
    .returning('last_version')
    .executeTakeFirst();
  if (!row) throw new SceneTaken();
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

/** When the current version's item is removed, the highest remaining version becomes current. */
export async function replaceCurrentItem(trx: Trx, itemId: string): Promise<void> {
  await sql`
    UPDATE scenes SET current_item_id = (
      SELECT id FROM generated_images AS left_over
      WHERE left_over.project_id = scenes.project_id AND left_over.scene_id = scenes.scene_id
        AND left_over.version IS NOT NULL AND left_over.deleted_at IS NULL AND left_over.status <> 'failed' AND left_over.id <> ${itemId}::bigint
      ORDER BY left_over.version DESC LIMIT 1)
    WHERE current_item_id = ${itemId}::bigint`.execute(trx);
}

/** A version that returns to a scene without a current one becomes current, unless it is a failure. */
export async function fillCurrentItem(trx: Trx, itemId: string): Promise<void> {
  await sql`
    UPDATE scenes SET current_item_id = item.id FROM generated_images AS item
    WHERE item.id = ${itemId}::bigint AND item.version IS NOT NULL AND item.deleted_at IS NULL AND item.status <> 'failed'
      AND scenes.project_id = item.project_id AND scenes.scene_id = item.scene_id AND scenes.current_item_id IS NULL`.execute(
    trx,
  );
}

/** A scene's newest version that had failed is retried: it becomes the current one again, as when it was stored. */
export async function reviveCurrentItem(trx: Trx, itemId: string): Promise<void> {
  await sql`
    UPDATE scenes SET current_item_id = item.id FROM generated_images AS item
    WHERE item.id = ${itemId}::bigint AND item.deleted_at IS NULL AND scenes.project_id = item.project_id
      AND scenes.scene_id = item.scene_id AND scenes.last_version = item.version`.execute(trx);
}

/** The owner of a scene, and the item of its current version. */
export async function findScene(
  db: Db,
  projectId: string,
  sceneId: string,
): Promise<{ owner: string; currentItemId: string | undefined } | undefined> {
  const row = await db
    .selectFrom('scenes')
    .select(['owner', 'current_item_id'])
    .where('project_id', '=', projectId)
    .where('scene_id', '=', sceneId)
    .executeTakeFirst();
  return row && { owner: row.owner, currentItemId: row.current_item_id ?? undefined };
}

/** The undeleted item of a version, locked against deletion until the transaction ends. */
export async function findVersion(
  trx: Trx,
  projectId: string,
  sceneId: string,
  version: number,
): Promise<string | undefined> {
  const row = await trx
    .selectFrom('generated_images')
    .select('id')
    .where('project_id', '=', projectId)
    .where('scene_id', '=', sceneId)
    .where('version', '=', version)
    .where('deleted_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  return row?.id;
}
