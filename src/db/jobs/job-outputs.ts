import { sql } from 'kysely';
import type { Db, Trx } from '../database.ts';

/** A job, by who does it and by that one's own id of it. */
export interface JobName {
  provider: string;
  jobId: string;
}

/** By what the outputs of a job are known, for each of its items. */
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

/** Adds by what items are known; what is there already stays. */
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

/** Outputs of a job that are other users' items are no longer known as its outputs; the items stay as they are. */
export async function forgetOutputsOfOthers(trx: Trx, { provider, jobId }: JobName, userId: string): Promise<void> {
  await sql`
    DELETE FROM job_outputs USING generated_images AS item
    WHERE job_outputs.provider = ${provider} AND job_outputs.job_id = ${jobId}
      AND item.id = job_outputs.media_id AND item.user_id <> ${userId}`.execute(trx);
}

/** What one item was known by, another one is known by from now on. */
export async function moveJobOutputs(trx: Trx, fromId: string, toId: string): Promise<void> {
  await sql`
    INSERT INTO job_outputs (provider, job_id, identity, media_id)
    SELECT provider, job_id, identity, ${toId}::bigint FROM job_outputs WHERE media_id = ${fromId}::bigint
    ON CONFLICT DO NOTHING`.execute(trx);
}
