import { Logger as JobLogger, type Runner, type TaskList, parseCronItems, run } from 'graphile-worker';
import type { Logger } from 'pino';
import { openJobPool } from '../db/job-pool.ts';
import { DOWNLOAD_PRIORITY } from '../db/jobs.ts';
import type { Deps } from '../domain/deps.ts';
import { fetchPending } from '../domain/fetch-pending.ts';
import { removeOldDeliveries } from '../domain/old-deliveries.ts';
import { makePendingCopies, secondsToNextCopy } from '../domain/pending-copies.ts';
import { pollPrompt } from '../domain/poll-comfyui.ts';
import { secondsToNextRunFiles, writeDueRunFiles } from '../domain/run-files.ts';
import { TURN_MS, addOnce, alone, downloads, jobSlots } from './task-slots.ts';

export interface JobsOptions {
  connectionString: string;
  /** Jobs at once. */
  concurrency: number;
}

export interface Jobs {
  /** Waits a moment for running jobs, then tells them to stop; what they had not finished is due again. */
  stop(): Promise<void>;
}

const RESTART_MS = 5000;
/** How soon a store that was down is asked again. */
const DOWN_SECONDS = 10;
/** What a copy that was put off waits at most beyond its time, should the job that was to make it be lost. */
const EVERY_MINUTE = '* * * * *';
/** Tasks that look for rows that are due. */
const WATCHES = ['copies', 'fetches', 'comfyui-all', 'run-files', 'deliveries'] as const;

function tasks(deps: Deps, concurrency: number): TaskList {
  const download = downloads((signal) => fetchPending(deps, { atHand: false }, { signal }), concurrency);
  return {
    copies: alone('copies', async (helpers) => {
      const report = await makePendingCopies(deps, helpers.abortSignal, Date.now() + TURN_MS);
      if (report.home + report.mirrored + report.failed > 0) deps.log.info(report, 'copied items to further stores');
      const seconds = await secondsToNextCopy(deps);
      if (seconds === undefined) return;
      const least = report.down.length > 0 ? DOWN_SECONDS : 1;
      await addOnce(helpers, 'copies', new Date(Date.now() + Math.max(least, seconds) * 1000));
    }),
    // A job is made for each item, but takes whatever dies first.
    fetch: download,
    // What needs no network waits for none: one item for each job, beside the downloads.
    'fetch-at-hand': async (_payload, helpers) => {
      await fetchPending(deps, { atHand: true }, { signal: helpers.abortSignal });
    },
    // For fetches whose job was lost with its worker.
    fetches: async (payload, helpers) => {
      const end = Date.now() + TURN_MS;
      while (!helpers.abortSignal?.aborted && Date.now() < end) {
        if (!(await fetchPending(deps, { atHand: true }, { signal: helpers.abortSignal }))) break;
      }
      await download(payload, helpers);
    },
    // Each job is one look at whichever prompt is due.
    comfyui: async (_payload, helpers) => {
      await pollPrompt(deps, helpers.abortSignal);
    },
    'comfyui-all': alone('comfyui-all', async (helpers) => {
      const end = Date.now() + TURN_MS;
      while (!helpers.abortSignal?.aborted) {
        if (!(await pollPrompt(deps, helpers.abortSignal))) return;
        if (Date.now() >= end) return void (await addOnce(helpers, 'comfyui-all'));
      }
    }),
    deliveries: async () => {
      const removed = await removeOldDeliveries(deps);
      if (removed > 0) deps.log.info({ removed }, 'removed webhooks whose time was over');
    },
    'run-files': alone('run-files', async (helpers) => {
      const report = await writeDueRunFiles(deps, helpers.abortSignal, Date.now() + TURN_MS);
      if (report.written + report.failed > 0) deps.log.info(report, 'wrote the files of runs');
      const seconds = await secondsToNextRunFiles(deps);
      if (seconds === undefined) return;
      await addOnce(helpers, 'run-files', new Date(Date.now() + Math.max(1, seconds) * 1000));
    }),
  };
}

const priorityOf = (task: string): number => (task === 'fetches' ? DOWNLOAD_PRIORITY : 0);

/** Runs graphile-worker in this process, and again when it ends by itself because the database was away. */
export function startJobs(deps: Deps, { connectionString, concurrency }: JobsOptions): Jobs {
  let stopping = false;
  let runner: Runner | undefined;
  let wake = () => {};
  const pool = openJobPool(connectionString, jobSlots(concurrency) + 2, (error) =>
    // At the end the database may be gone before the last of them is closed.
    deps.log[stopping ? 'debug' : 'warn']({ err: error }, 'a connection of the job queue was lost'),
  );
  const again = async (): Promise<void> => {
    while (!stopping) {
      try {
        runner = await run({
          pgPool: pool,
          concurrency: jobSlots(concurrency),
          noHandleSignals: true,
          logger: jobLogger(deps.log),
          taskList: tasks(deps, concurrency),
          parsedCronItems: parseCronItems(
            WATCHES.map((task) => ({
              task,
              match: EVERY_MINUTE,
              identifier: task,
              options: {
                backfillPeriod: 0,
                maxAttempts: 1,
                jobKey: task,
                jobKeyMode: 'preserve_run_at' as const,
                priority: priorityOf(task),
              },
            })),
          ),
        });
        if (stopping) await runner.stop();
        // What was put off while nobody worked is due at once.
        else
          for (const task of WATCHES)
            await runner.addJob(task, {}, { jobKey: task, maxAttempts: 3, priority: priorityOf(task) });
        await runner.promise;
      } catch (error) {
        if (!stopping) deps.log.warn({ err: error }, 'background jobs stopped; they start again in five seconds');
      }
      if (!stopping)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, RESTART_MS);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
    }
  };
  const running = again();
  return {
    async stop() {
      stopping = true;
      wake();
      // It throws when it has ended already.
      await runner?.stop().catch(() => {});
      await running;
      await pool.end();
    },
  };
}

/** What graphile-worker says goes where everything goes; its chatter about each job only on request. */
function jobLogger(log: Logger): JobLogger {
  return new JobLogger((scope) => (level, message, meta) => {
    const line = { job: scope.jobId, task: scope.taskIdentifier, ...(meta?.['error'] ? { err: meta['error'] } : {}) };
    if (level === 'error') log.error(line, message);
    else if (level === 'warning') log.warn(line, message);
    else log.debug(line, message);
  });
}
