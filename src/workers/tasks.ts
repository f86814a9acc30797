import type { Task, TaskList } from 'graphile-worker';
import { keepRunning } from '../background/keep-running.ts';
import { observed } from '../background/observe.ts';
import { DOWNLOAD_PRIORITY } from '../db/queue/enqueue.ts';
import type { Deps } from '../domain/deps.ts';
import { removeOldTasks } from '../db/tasks.ts';
import { runActionTask } from '../domain/actions/action-tasks.ts';
import { fetchPending } from '../domain/pending/fetch-pending.ts';
import { removeOldDeliveries } from '../domain/webhooks/old-deliveries.ts';
import { makePendingCopies, secondsToNextCopy } from '../domain/copies/pending-copies.ts';
import { pollPrompt } from '../domain/jobs/poll-comfyui.ts';
import { secondsToNextRunFiles, writeDueRunFiles } from '../domain/run-folder/refresh-files.ts';
import { type RunnerOptions, runTasks } from './task-runner.ts';
import { TURN_MS, addOnce, alone, downloads, taskSlots } from './task-slots.ts';

export interface TaskOptions {
  connectionString: string;
  /** Concurrent tasks. */
  concurrency: number;
}

export interface RunningTasks {
  /** Waits a moment for running tasks, then aborts them; what they had not finished is due again. */
  stop(): Promise<void>;
}

/** How soon a store that was down is retried. */
const DOWN_SECONDS = 10;
/** Tasks that look for due rows. */
const WATCHES = ['copies', 'fetches', 'comfyui-all', 'run-files', 'deliveries', 'actions'] as const;
/** How long the outcome of a task can be read. */
const TASK_DAYS = 7;

function tasks(deps: Deps, concurrency: number): TaskList {
  const download = downloads((signal) => fetchPending(deps, { atHand: false }, { signal }), concurrency);
  return {
    copies: alone('copies', async (helpers) => {
      const report = await makePendingCopies(deps, helpers.abortSignal, Date.now() + TURN_MS);
      if (report.home + report.mirrored + report.failed > 0) deps.log.info(report, 'copied items to further stores');
      const seconds = await secondsToNextCopy(deps);
      if (seconds === undefined) return;
      const least = report.down.length > 0 ? DOWN_SECONDS : 1;
      await addOnce(helpers, 'copies', Math.max(least, seconds));
    }),
    // Each item enqueues a task, but a task takes whichever item expires first.
    fetch: download,
    // Items that need no network do not wait for it: one per task, besides the downloads.
    'fetch-at-hand': async (_payload, helpers) => {
      await fetchPending(deps, { atHand: true }, { signal: helpers.abortSignal });
    },
    // For fetches whose task was lost with its worker.
    fetches: async (payload, helpers) => {
      const end = Date.now() + TURN_MS;
      while (!helpers.abortSignal?.aborted && Date.now() < end) {
        if (!(await fetchPending(deps, { atHand: true }, { signal: helpers.abortSignal }))) break;
      }
      await download(payload, helpers);
    },
    // Each task polls one due prompt.
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
    actions: alone('actions', async (helpers) => {
      const end = Date.now() + TURN_MS;
      while (!helpers.abortSignal?.aborted) {
        if (!(await runActionTask(deps, helpers.abortSignal, end))) break;
        if (Date.now() >= end) return void (await addOnce(helpers, 'actions'));
      }
      await removeOldTasks(deps.db, TASK_DAYS);
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
      await addOnce(helpers, 'run-files', Math.max(1, seconds));
    }),
  };
}

const priorityOf = (task: string): number => (task === 'fetches' ? DOWNLOAD_PRIORITY : 0);

/** The background part to which a task belongs. */
const PARTS: Readonly<Record<string, string>> = {
  copies: 'copies',
  fetch: 'downloads',
  'fetch-at-hand': 'downloads',
  fetches: 'downloads',
  comfyui: 'comfyui',
  'comfyui-all': 'comfyui',
  deliveries: 'old-webhooks',
  actions: 'actions',
  'run-files': 'run-files',
};

/** graphile-worker retries a failed task; the failure shows as the state of its part. */
function observedTasks(deps: Deps, list: TaskList): TaskList {
  return Object.fromEntries(
    Object.entries(list).map(([name, task]) => [
      name,
      observed(deps.background, PARTS[name] ?? name, async (...args: Parameters<Task>) => task?.(...args)),
    ]),
  );
}

/** Runs graphile-worker in this process, and restarts it when it ends by itself. */
export function startTasks(deps: Deps, { connectionString, concurrency }: TaskOptions): RunningTasks {
  const options: RunnerOptions = {
    connectionString,
    slots: taskSlots(concurrency),
    taskList: observedTasks(deps, tasks(deps, concurrency)),
    watches: WATCHES.map((task) => ({ task, priority: priorityOf(task) })),
    log: deps.log,
  };
  return keepRunning(deps.background, 'tasks', (run) => runTasks(options, run));
}
