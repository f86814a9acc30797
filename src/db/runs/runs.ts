import type { JsonObject } from '../../json/json.ts';
import { type Selectable, sql } from 'kysely';
import type { Db, Trx } from '../database.ts';
import type { RunsTable } from '../tables.ts';
import { toIsoTime } from '../timestamps.ts';

/** One pipeline run. */
export interface Run {
  id: string;
  userId: string;
  inputText: string;
  transformedText: string | null;
  schema: string | null;
  executionMode: string | null;
  safetyLevel: string | null;
  metadata: JsonObject;
  /** The store of its folder. */
  store: string;
  completedAt: string | null;
  createdAt: string;
  updatedAt: string;
}

export interface NewRun {
  id: string;
  userId: string;
  inputText: string;
  transformedText: string | null;
  schema: string | null;
  executionMode: string | null;
  safetyLevel: string | null;
  metadata: JsonObject;
  store: string;
  createdAt?: string | undefined;
  completedAt?: string | null | undefined;
}

/** Time in which the process that changed a run writes its files; after it a worker does. */
const GRACE_SECONDS = 30;
const soon = sql<string>`now() + make_interval(secs => ${GRACE_SECONDS})`;
/** Average rate at which the metadata.json of one run is rewritten, in bytes per second, however often the run changes. */
const METADATA_BYTES_PER_SECOND = 256 * 1024;
/** The same, but a large metadata.json waits until the time for its last write has passed. */
const affordable = sql<string>`greatest(${soon}, written_at + make_interval(secs => metadata_bytes / ${sql.lit(METADATA_BYTES_PER_SECOND)}))`;

/** Inserts a run whose files are not written yet. */
export async function insertRun(db: Db, run: NewRun): Promise<Run> {
  const row = await db
    .insertInto('runs')
    .values({ ...toRow(run), due_at: soon })
    .returningAll()
    .executeTakeFirstOrThrow();
  return toRun(row);
}

/** Inserts a run that was found in its folder, unless its id exists; returns the run in the database. */
export async function adoptRun(trx: Trx, run: NewRun): Promise<Run> {
  await trx
    .insertInto('runs')
    .values({ ...toRow(run), written_revision: 1, texts_due: false })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const row = await trx.selectFrom('runs').selectAll().where('id', '=', run.id).forUpdate().executeTakeFirstOrThrow();
  return toRun(row);
}

function toRow(run: NewRun) {
  return {
    id: run.id,
    user_id: run.userId,
    input_text: run.inputText,
    transformed_text: run.transformedText,
    schema: run.schema,
    execution_mode: run.executionMode,
    safety_level: run.safetyLevel,
    metadata: JSON.stringify(run.metadata),
    store: run.store,
    ...(run.createdAt !== undefined && { created_at: run.createdAt, updated_at: run.createdAt }),
    completed_at: run.completedAt ?? null,
  };
}

export async function findRun(db: Db, id: string): Promise<Run | undefined> {
  const row = await db.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst();
  return row && toRun(row);
}

/** The owner of a run, read without its texts. */
export async function findRunOwner(db: Db, id: string): Promise<string | undefined> {
  const row = await db.selectFrom('runs').select('user_id').where('id', '=', id).executeTakeFirst();
  return row?.user_id;
}

/** Completes an open run; undefined when it is completed already. */
export async function setCompleted(db: Db, id: string, transformedText: string | undefined): Promise<Run | undefined> {
  const row = await db
    .updateTable('runs')
    .set({
      completed_at: sql<string>`now()`,
      updated_at: sql<string>`now()`,
      revision: sql<number>`revision + 1`,
      due_at: soon,
      ...(transformedText !== undefined && { transformed_text: transformedText, texts_due: true }),
    })
    .where('id', '=', id)
    .where('completed_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
  return row && toRun(row);
}

/**
 * Marks metadata.json as out of date, in the transaction of the change. Locks the run's row until the end, so call it last. False
 * when the user has no such run.
 */
export async function touchRun(trx: Trx, runId: string | null | undefined, userId: string): Promise<boolean> {
  if (runId === null || runId === undefined) return false;
  const result = await trx
    .updateTable('runs')
    .set({
      revision: sql<number>`revision + 1`,
      updated_at: sql<string>`now()`,
      due_at: sql<string>`least(due_at, ${affordable})`,
    })
    .where('id', '=', runId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Moves a run's folder to another store; its texts are written there anew. */
export async function setRunStore(db: Db, id: string, store: string): Promise<void> {
  await db.updateTable('runs').set({ store, texts_due: true }).where('id', '=', id).execute();
}

/** The fields of a run that a worker needs to write its files. */
export interface RunFilesState {
  run: Run;
  revision: number;
  textsDue: boolean;
  attempts: number;
}

/** Decides whether the files of a run must be written. */
export async function findRunFilesDue(
  db: Db,
  id: string,
): Promise<{ written: boolean; metadataBytes: number } | undefined> {
  const row = await db
    .selectFrom('runs')
    .select(['revision', 'written_revision', 'texts_due', 'metadata_bytes'])
    .where('id', '=', id)
    .executeTakeFirst();
  return (
    row && {
      written: row.written_revision >= row.revision && !row.texts_due,
      metadataBytes: Number(row.metadata_bytes),
    }
  );
}

export async function findRunFiles(db: Db, id: string): Promise<RunFilesState | undefined> {
  const row = await db.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst();
  return (
    row && {
      run: toRun(row),
      revision: row.revision,
      textsDue: row.texts_due,
      attempts: row.attempts,
    }
  );
}

/** Time in which a store may still carry out a request that it has not answered. */
const LATE_SECONDS = 900;

/** Records that the files are current up to `revision`. After a write with an unclear outcome they are written once more, later. */
export async function setRunFilesWritten(
  db: Db,
  id: string,
  { revision, metadataBytes }: { revision: number; metadataBytes: number },
): Promise<void> {
  const settled = sql`uncertain_at + make_interval(secs => ${LATE_SECONDS})`;
  await sql`
    UPDATE runs SET written_revision = greatest(written_revision, ${revision}), attempts = 0, last_error = NULL,
      metadata_bytes = ${metadataBytes}, written_at = now(),
      texts_due = texts_due AND revision <> ${revision},
      due_at = CASE WHEN revision <> ${revision}
        THEN greatest(due_at, now() + make_interval(secs => ${metadataBytes} / ${sql.lit(METADATA_BYTES_PER_SECOND)})) WHEN ${settled} > now() THEN ${settled} END,
      uncertain_at = CASE WHEN ${settled} > now() THEN uncertain_at END
    WHERE id = ${id}`.execute(db);
}

/** Records a failed write of the files, and when it is retried. */
export async function postponeRunFiles(
  db: Db,
  id: string,
  { seconds, error }: { seconds: number; error: string },
): Promise<void> {
  await sql`
    UPDATE runs SET attempts = attempts + 1, last_error = ${error}, texts_due = TRUE, uncertain_at = now(),
      due_at = now() + make_interval(secs => ${seconds})
    WHERE id = ${id}`.execute(db);
}

/** Leases runs whose files are due to this process for two minutes. */
export async function takeDueRuns(db: Db, limit: number): Promise<string[]> {
  const rows = await db
    .updateTable('runs')
    .set({ due_at: sql<string>`now() + make_interval(secs => 120)` })
    .where('id', 'in', (eb) =>
      eb
        .selectFrom('runs')
        .select('id')
        .where('due_at', '<=', sql<string>`now()`)
        .orderBy('due_at')
        .limit(limit)
        .forUpdate()
        .skipLocked(),
    )
    .returning('id')
    .execute();
  return rows.map((row) => row.id);
}

/** Seconds until the files of a run are due, 0 when some are; undefined when none wait. */
export async function secondsToNextDueRun(db: Db): Promise<number | undefined> {
  const row = await db
    .selectFrom('runs')
    .select(sql<number>`greatest(0, extract(epoch FROM due_at - now()))::float8`.as('seconds'))
    .where('due_at', 'is not', null)
    .orderBy('due_at')
    .limit(1)
    .executeTakeFirst();
  return row?.seconds;
}

export function toRun(row: Selectable<RunsTable>): Run {
  return {
    id: row.id,
    userId: row.user_id,
    inputText: row.input_text,
    transformedText: row.transformed_text,
    schema: row.schema,
    executionMode: row.execution_mode,
    safetyLevel: row.safety_level,
    metadata: row.metadata,
    store: row.store,
    completedAt: toIsoTime(row.completed_at),
    createdAt: toIsoTime(row.created_at) ?? '',
    updatedAt: toIsoTime(row.updated_at) ?? '',
  };
}
