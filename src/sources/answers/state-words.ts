import type { AnswerState } from './answer.ts';

/** Words that are in use for the states of a job, without the signs between their parts. */
const WORDS: Readonly<Record<AnswerState, string>> = {
  queued: `queued queueing inqueue queue pending waiting submitted submitting created accepted starting start scheduled
    scheduling preparing prepared initialized initializing initialising notstarted received new sent delayed throttled
    warming warmingup booting deferred wait notrunning staged`,
  running: `running processing inprogress progress progressing generating rendering started active working executing uploading
    downloading dreaming polling ongoing computing training synthesizing inferring sampling denoising upscaling encoding
    saving finalizing finishing canceling cancelling imageready imagechunk partial partialimage partialsucceeded
    incompleteprogress busy loading run`,
  succeeded: `succeeded succeed success successful successfully complete completed completion done finished finish ready ok
    generated available ended passed resolved fulfilled processed delivered
    completedwitherrors partiallycompleted partiallysucceeded partialsuccess`,
  failed: `failed fail failure error errored errors timedout timeout timelimitexceeded expired expire rejected refused denied
    moderated contentmoderated blocked banned contentfiltered filtered nsfw crashed crash dead lost invalid incomplete
    unsuccessful exception killed outofmemory oom notfound broken violation flagged censored faulted exceeded
    unauthorized forbidden ratelimited`,
  canceled: 'canceled cancelled canceledbyuser aborted abort stopped terminated interrupted revoked dropped skipped',
};

const STATES: ReadonlyMap<string, AnswerState> = new Map(
  Object.entries(WORDS).flatMap(([state, words]) =>
    words.split(/\s+/).map((word) => [word, state as AnswerState] as const),
  ),
);

/** Words by which handlers announce one of several outputs, while the job goes on. */
const PIECES = new Set(['imageready', 'imagechunk']);

/** Whether a word, as of a state or an event, announces one of several outputs: `IMAGE_READY`. */
export function announcesPiece(word: unknown): boolean {
  return typeof word === 'string' && PIECES.has(word.toLowerCase().replaceAll(/[^a-z]/g, ''));
}

/** Longer texts are sentences. */
const MAX_CHARACTERS = 60;

/**
 * The state that a word stands for, in any case and with any signs between its parts: `Ready`, `TIMED_OUT`, `in-progress`,
 * `TASK_STATUS_SUCCEED`, `image_generation.completed`. Undefined for words that are not in use as states.
 * @param more a provider's own words, written as it writes them, in lower case
 */
export function stateOf(
  word: string | undefined,
  more: Readonly<Record<string, AnswerState>> = {},
): AnswerState | undefined {
  if (word === undefined || word.length > MAX_CHARACTERS) return undefined;
  const own = more[word.trim().toLowerCase()];
  if (own) return own;
  const parts = word
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((part) => part !== '');
  // The whole first, then its ends, then its beginning: `job_state_succeeded`, `success_no_images`.
  for (let from = 0; from < parts.length; from += 1) {
    const state = STATES.get(parts.slice(from).join(''));
    if (state) return state;
  }
  return STATES.get(parts[0] ?? '');
}
