import type { Db, Trx } from './database.ts';

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

export async function addJobOutputs(
  trx: Trx,
  { provider, jobId }: JobName,
  mediaId: string,
  identities: readonly string[],
): Promise<void> {
  if (identities.length === 0) return;
  await trx
    .insertInto('job_outputs')
    .values(identities.map((identity) => ({ provider, job_id: jobId, identity, media_id: mediaId })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
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
