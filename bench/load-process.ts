import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Job, Outcome } from './jobs.ts';

export interface Load {
  pid: number;
  /** One at a time. @throws when the load itself fails; errors of the server are in the outcome */
  run(job: Job): Promise<Outcome>;
  stop(): void;
}

/** Starts the process that generates the load. */
export function startLoad(): Load {
  const child: ChildProcess = fork(fileURLToPath(new URL('load.ts', import.meta.url)));
  return {
    pid: child.pid ?? -1,
    run: (job) =>
      new Promise((resolve, reject) => {
        const ended = () => reject(new Error('the load process ended'));
        child.once('exit', ended);
        child.once('message', (message: { outcome?: Outcome; problem?: unknown }) => {
          child.off('exit', ended);
          if (message.outcome) resolve(message.outcome);
          else reject(new Error(`the load failed: ${String(message.problem)}`));
        });
        child.send(job);
      }),
    stop: () => void child.kill('SIGKILL'),
  };
}
