import { sql } from 'kysely';
import type { Db, Trx } from '../database.ts';

/** A job: its provider and the provider's id of it. */
export interface JobName {
  provider: string;
  jobId: string;
}

/** The output identities of each of a job's items. */
export async function findJobOutputs(trx: Db, { provider, jobId }: JobName): Promise<Map<string, Set<string>>> {
  const rows = await trx
    .selectFrom('job_outputs')
    .select(['media_id', 'identity'])
    .where('provider', '=', provider)
    .where('job_id', '=', jobId)
    .orderBy('media_id')
    .execute();
  const found = new Map<string, Set<string>>();
  for (const { media_id: id, identity } of rows) {
    const known = found.get(id) ?? new Set();
    known.add(identity);
    found.set(id, known);
  }
  return found;
}

/** Adds identities to items; existing ones stay. */
export async function addJobOutputs(
  trx: Trx,
  { provider, jobId }: JobName,
  items: readonly { mediaId: string; identities: readonly string[] }[],
): Promise<void> {
  const rows = items.flatMap(({ mediaId, identities }) => identities.map((identity) => ({ mediaId, identity })));
  if (rows.length === 0) return;
  await sql`
    INSERT INTO job_outputs (provider, job_id, identity, media_id)
    SELECT ${provider}, ${jobId}, identity, media_id
    FROM unnest(${rows.map((row) => row.identity)}::text[], ${rows.map((row) => row.mediaId)}::bigint[]) AS added (identity, media_id)
    ON CONFLICT DO NOTHING`.execute(trx);
}

export async function removeJobOutput(trx: Trx, job: JobName, mediaId: string, identity: string): Promise<void> {
  await trx
    .deleteFrom('job_outputs')
    .where('provider', '=', job.provider)
    .where('job_id', '=', job.jobId)
    .where('media_id', '=', mediaId)
    .where('identity', '=', identity)
    .execute();
}

/** Removes outputs of a job that are other users' items; the items stay as they are. */
export async function forgetOutputsOfOthers(trx: Trx, { provider, jobId }: JobName, userId: string): Promise<void> {
  await sql`
    DELETE FROM job_outputs USING generated_images AS item
    WHERE job_outputs.provider = ${provider} AND job_outputs.job_id = ${jobId}
      AND item.id = job_outputs.media_id AND item.user_id <> ${userId}`.execute(trx);
}

/** Moves the identities of one item to another. */
export async function moveJobOutputs(trx: Trx, fromId: string, toId: string): Promise<void> {
  await sql`
    INSERT INTO job_outputs (provider, job_id, identity, media_id)
    SELECT provider, job_id, identity, ${toId}::bigint FROM job_outputs WHERE media_id = ${fromId}::bigint
    ON CONFLICT DO NOTHING`.execute(trx);
}
