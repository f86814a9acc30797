import { type Selectable, sql } from 'kysely';
import type { JsonObject } from '../json/json.ts';
import type { Db } from './database.ts';
import type { TasksTable } from './tables.ts';
import { toIsoTime } from './timestamps.ts';

/** Work on many items that goes on after its request was answered. */
export interface Task {
  id: string;
  userId: string;
  /** Its caller acts for any user. */
  admin: boolean;
  action: string;
  request: JsonObject;
  state: 'queued' | 'running' | 'done';
  matched: number;
  done: number;
  failedCount: number;
  /** The first of the items that failed. */
  failed: { id: string; code: string; detail: string }[];
  /** The last item that was acted on, and the last one there was when the task began. */
  after: string;
  upTo: string;
  createdAt: string;
  finishedAt: string | null;
  /** Which taking holds it. */
  revision: number;
}

const LEASE_S = 60;
const MAX_TOLD = 100;

/** Records a task, and asks a worker to take it, in one commit. */
export async function insertTask(
  db: Db,
  task: Pick<Task, 'id' | 'userId' | 'admin' | 'action' | 'matched'> & { request: object },
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await trx
      .insertInto('tasks')
      .values({
        id: task.id,
        user_id: task.userId,
        admin: task.admin,
        action: task.action,
        request: JSON.stringify(task.request),
        matched: task.matched,
        up_to: sql<string>`(SELECT coalesce(max(id), 0) FROM generated_images)`,
      })
      .execute();
    await sql`SELECT graphile_worker.add_job('actions', max_attempts := 3)`.execute(trx);
  });
}

const COLUMNS = [
  'id',
  'user_id',
  'admin',
  'action',
  'request',
  'finished_at',
  'matched',
  'done',
  'failed_count',
  'failed',
  'after',
  'up_to',
  'created_at',
  'revision',
] as const;

type Row = Pick<Selectable<TasksTable>, (typeof COLUMNS)[number]>;

function toTask(row: Row): Task {
  return {
    id: row.id,
    userId: row.user_id,
    admin: row.admin,
    action: row.action,
    request: row.request,
    state: row.finished_at !== null ? 'done' : row.revision > 0 ? 'running' : 'queued',
    matched: row.matched,
    done: row.done,
    failedCount: row.failed_count,
    failed: row.failed as Task['failed'],
    after: row.after,
    upTo: row.up_to,
    createdAt: toIsoTime(row.created_at) ?? '',
    finishedAt: toIsoTime(row.finished_at),
    revision: row.revision,
  };
}

export async function findTask(db: Db, id: string): Promise<Task | undefined> {
  const row = await db.selectFrom('tasks').select(COLUMNS).where('id', '=', id).executeTakeFirst();
  return row && toTask(row);
}

/** The oldest task that nobody is at. It is this process's for a minute, and longer with each progress. */
export async function takeTask(db: Db): Promise<Task | undefined> {
  const row = await db
    .updateTable('tasks')
    .set({ leased_until: sql<string>`now() + make_interval(secs => ${LEASE_S})`, revision: sql<number>`revision + 1` })
    .where('id', '=', (eb) =>
      eb
        .selectFrom('tasks as due')
        .select('due.id')
        .where('due.finished_at', 'is', null)
        .where('due.leased_until', '<=', sql<string>`now()`)
        .orderBy('due.created_at')
        .limit(1)
        .forUpdate()
        .skipLocked(),
    )
    .returning(COLUMNS)
    .executeTakeFirst();
  return row && toTask(row);
}

type Taken = Pick<Task, 'id' | 'revision'>;

const held = (db: Db, { id, revision }: Taken) =>
  db.updateTable('tasks').where('id', '=', id).where('revision', '=', revision).where('finished_at', 'is', null);

/** Keeps a task for so many seconds. */
export async function renewTask(db: Db, task: Taken, seconds: number): Promise<void> {
  await held(db, task)
    .set({ leased_until: sql<string>`now() + make_interval(secs => ${seconds})` })
    .execute();
}

/** Adds to what is done, and keeps the task; false when another process has taken it. */
export async function recordProgress(
  db: Db,
  task: Taken,
  { after, done, failed }: Pick<Task, 'after' | 'done' | 'failed'>,
): Promise<boolean> {
  const { numUpdatedRows } = await held(db, task)
    .set({
      after,
      done: sql<number>`done + ${done}`,
      failed_count: sql<number>`failed_count + ${failed.length}`,
      failed: sql<string>`CASE WHEN jsonb_array_length(failed) < ${MAX_TOLD} THEN failed || ${JSON.stringify(failed)}::jsonb ELSE failed END`,
      leased_until: sql<string>`now() + make_interval(secs => ${LEASE_S})`,
    })
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function finishTask(db: Db, id: string): Promise<void> {
  await db
    .updateTable('tasks')
    .set({ finished_at: sql<string>`now()` })
    .where('id', '=', id)
    .execute();
}

/** Forgets tasks that ended that many days ago. */
export async function removeOldTasks(db: Db, days: number): Promise<void> {
  await db
    .deleteFrom('tasks')
    .where('finished_at', '<', sql<string>`now() - make_interval(days => ${days})`)
    .execute();
}
