import { findJob } from '../../db/jobs/jobs.ts';
import type { Db } from '../../db/database.ts';
import type { JobName } from '../../db/jobs/job-outputs.ts';
import { AppError } from '../../errors.ts';
import type { Webhook } from '../../sources/providers/read-webhook.ts';
import type { WebhookProvider } from '../../sources/providers/registry.ts';

/** A webhook whose sender was verified. */
export interface IncomingWebhook {
  provider: WebhookProvider;
  /** The same for every repetition of a delivery, and unique to it. */
  deliveryKey: string;
  raw: Buffer;
  /** Whether the body may name the owner. */
  namesOwner: boolean;
  /** The job that the signature covers; then neither the body nor the URL may name another. */
  provenJobId?: string | undefined;
  /** What the URL says. `proven`: its secret was the proof. Otherwise a sender may have changed it, and it decides nothing. */
  address: { proven: boolean; jobId?: string | undefined; pathJobId?: string | undefined; userId?: string | undefined };
}

/**
 * Ids under which the job may be registered, the most reliable first.
 * @throws AppError webhook_refused; invalid_request: it names no job, or its path names another than its signed body
 */
export function idsOf({ provenJobId, address }: IncomingWebhook, { jobIds, answer }: Webhook): [string, ...string[]] {
  if (provenJobId !== undefined) {
    if (answer.id !== undefined && answer.id !== provenJobId)
      throw new AppError('webhook_refused', 'The webhook was signed for another request than its body is about.');
    return [provenJobId];
  }
  const { proven, pathJobId = address.jobId } = address;
  const [first, ...others] = new Set([...(proven && pathJobId !== undefined ? [pathJobId] : []), ...jobIds]);
  if (first === undefined)
    throw new AppError(
      'invalid_request',
      proven
        ? 'The webhook names no job: put its id into the body or the URL.'
        : "The signed body names no job: put its id into the body. The signature does not cover the URL, so the URL's job id does not count.",
    );
  if (!proven && address.pathJobId !== undefined && !jobIds.includes(address.pathJobId))
    throw new AppError(
      'invalid_request',
      "The path names another job than the signed body. The signature does not cover the path: send the webhook to the path of the body's job, or put the path's job id into the body.",
      { field: 'jobId' },
    );
  return [first, ...others];
}

/** Known owners of a job: the user that the webhook names, and the one that only its URL names. */
export interface NamedOwners {
  named: string | undefined;
  fallback?: string | undefined;
}

interface JobOf {
  name: JobName;
  /** Owner of its outputs; undefined: unknown. */
  userId: string | undefined;
  /** It names jobs of several users. */
  disputed: boolean;
}

/**
 * The job that a webhook is about, and the owner of its outputs. The user that the webhook names takes precedence over any
 * registration. Jobs of other providers are ignored.
 */
export async function jobOf(
  db: Db,
  provider: string,
  ids: readonly [string, ...string[]],
  { named, fallback }: NamedOwners,
): Promise<JobOf> {
  const found = await Promise.all(ids.map((jobId) => findJob(db, { provider, jobId })));
  const jobs = found.filter((job) => job !== undefined);
  const unregistered = { provider, jobId: ids[0] };
  if (named !== undefined) {
    const own = jobs.find((job) => job.userId === named);
    return { name: own ?? unregistered, userId: named, disputed: false };
  }
  const [job] = jobs;
  if (!job) return { name: unregistered, userId: fallback, disputed: false };
  const disputed = jobs.some(({ userId }) => userId !== job.userId);
  return { name: disputed ? unregistered : job, userId: disputed ? undefined : job.userId, disputed };
}
