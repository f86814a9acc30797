import type { Json } from '../../json/json.ts';
import { lockJob } from '../../db/jobs/jobs.ts';
import { type JobPoll, endPoll, postponePoll, takePoll } from '../../db/jobs/job-polls.ts';
import { enqueue } from '../../db/queue/enqueue.ts';
import type { ProviderAnswer } from '../../sources/answers/answer.ts';
import { comfyAnswer } from '../../sources/comfyui/history-answer.ts';
import type { ComfyClient } from '../../sources/comfyui/client.ts';
import { applyAnswer } from '../answers/apply-answer.ts';
import { identifyOutputs } from '../answers/output-identity.ts';
import { COMFYUI } from './comfyui.ts';
import type { Deps } from '../deps.ts';
import type { ItemInput } from '../items/item-fields.ts';
import { refreshRun } from '../run-folder/refresh-files.ts';

/** `ended`: the prompt's outputs or failure were recorded; `later`: it is polled again. */
export type PollOutcome = 'ended' | 'later';

const LONGEST_PAUSE_SECONDS = 30;
const NOTHING =
  'ComfyUI knows nothing of it: the prompt was never queued there, or has been forgotten (the history is kept in memory and capped)';

/**
 * Polls the ComfyUI prompt that is due. A finished prompt's outputs become pending items together, which workers fetch; a failed
 * prompt, or one past its deadline, becomes one failure item. Returns undefined when none is due. Safe to run in several
 * processes.
 */
export async function pollPrompt(deps: Deps, signal?: AbortSignal): Promise<PollOutcome | undefined> {
  const { comfyui } = deps;
  if (!comfyui) return undefined;
  const poll = await takePoll(deps.db, COMFYUI);
  if (!poll) return undefined;
  const { history, problem } = await ask(deps, comfyui, poll, signal);
  const answer = comfyAnswer(history, poll.jobId) ?? tooLate(comfyui, poll, problem);
  if (!answer) {
    const seconds = pauseOf(comfyui, poll);
    await deps.db.transaction().execute(async (trx) => {
      await postponePoll(trx, poll, seconds);
      await enqueue(trx, COMFYUI, 1, seconds);
    });
    return 'later';
  }
  const identities = await identifyOutputs(answer.outputs);
  const fields = await deps.db.transaction().execute(async (trx) => {
    const { job } = await lockJob(trx, poll, poll);
    await applyAnswer(deps, trx, { job, answer, body: history, identities });
    await endPoll(trx, poll);
    return job.fields;
  });
  deps.log.info(
    { promptId: poll.jobId, state: answer.state, outputs: answer.outputs.length },
    'a ComfyUI prompt has ended',
  );
  const { toolName = 'unknown', provider = COMFYUI, runId } = fields as ItemInput;
  if (answer.state === 'failed') deps.metrics.generationFailed(toolName, provider);
  await refreshRun(deps, runId);
  return 'ended';
}

async function ask(
  deps: Deps,
  comfyui: ComfyClient,
  { jobId }: JobPoll,
  signal: AbortSignal | undefined,
): Promise<{ history: Json; problem: string }> {
  try {
    const history = await comfyui.history(jobId, signal);
    return { history, problem: isEmpty(history) ? NOTHING : 'it is still running' };
  } catch (error) {
    deps.log.warn({ err: error, promptId: jobId }, 'ComfyUI did not tell of a prompt; it is asked again');
    return { history: {}, problem: error instanceof Error ? error.message : 'ComfyUI did not answer' };
  }
}

function isEmpty(history: Json): boolean {
  return typeof history === 'object' && history !== null && Object.keys(history).length === 0;
}

function tooLate(comfyui: ComfyClient, { jobId, secondsLeft }: JobPoll, problem: string): ProviderAnswer | undefined {
  if (secondsLeft > 0) return undefined;
  const message = `The prompt had not ended after ${comfyui.deadlineSeconds} s: ${problem}.`;
  return { id: jobId, state: 'failed', error: { class: 'deadline', message }, outputs: [], generation: {} };
}

/**
 * A quarter of the prompt's age, so that short prompts are picked up soon and long ones are polled rarely. The last poll is at
 * the deadline.
 */
function pauseOf({ deadlineSeconds }: ComfyClient, { secondsLeft }: JobPoll): number {
  const age = Math.max(0, deadlineSeconds - secondsLeft);
  return Math.min(LONGEST_PAUSE_SECONDS, Math.max(1, age / 4), Math.max(0.1, secondsLeft + 0.1));
}
