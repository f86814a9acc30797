import type { Db } from '../../db/database.ts';
import { countFetches } from '../../db/jobs/fetches.ts';
import { countPending } from '../../db/objects/locations.ts';
import { queueState } from '../../db/queue/queue-state.ts';
import { countBehind } from '../../db/search/rollups.ts';
import { type Finding, ok, warning, wrong } from './finding.ts';

/** What waits for workers, and whether any worker takes it. */
export async function workFindings(db: Db): Promise<Finding[]> {
  const [queue, fetches, copies, behind] = await Promise.all([
    queueState(db),
    countFetches(db),
    countPending(db),
    countBehind(db),
  ]);
  const overdue = queue.overdue + fetches.overdue;
  return [
    overdue > 0
      ? wrong(
          'workers',
          `${overdue} tasks are overdue by more than 2 minutes: no worker runs, or all are busy; start a process with WORKER_CONCURRENCY above 0, or mediakeep worker`,
        )
      : ok('workers', 'nothing is overdue'),
    ...(queue.givenUp > 0
      ? [
          warning(
            'given up',
            `${queue.givenUp} tasks were given up after their attempts; the log of the workers has the reasons`,
          ),
        ]
      : []),
    ok(
      'pending work',
      `${fetches.waiting} downloads, ${copies} copies, ${behind} changes not in the totals yet, ${queue.tasks} tasks in the queue`,
    ),
  ];
}
