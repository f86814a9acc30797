import type { Json, JsonObject } from '../../json/json.ts';
import { type AnswerError, errorOf } from './answer-error.ts';
import { asObject, nonBlankText } from './json-access.ts';
import { stateOf } from './state-words.ts';

/** Fields in which answers wrap the job or its result. */
const WRAPPERS = [
  'data',
  'object',
  'task',
  'job',
  'output',
  'result',
  'response',
  'payload',
  'prediction',
  'generation',
  'generations_by_pk',
  'video',
  'base_resp',
] as const;
const MAX_DEPTH = 3;

/** The answer and what it wraps, from the outside in. */
export function layersOf(body: JsonObject): JsonObject[] {
  const layers = [body];
  let last: JsonObject[] = [body];
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    last = last.flatMap((layer) =>
      WRAPPERS.map((name) => asObject(layer[name])).filter((inner) => Object.keys(inner).length > 0),
    );
    layers.push(...last);
  }
  return layers;
}

/** Fields that hold an error whatever the state. */
const ERRORS = [
  'error',
  'errors',
  'error_message',
  'errorMessage',
  'error_msg',
  'errorMsg',
  'err',
  'exception',
  'execution_error',
  'failure',
  'failure_reason',
  'failureReason',
  'failure_message',
  'failureMessage',
  'fail_reason',
  'failReason',
  'failed_reason',
  'incomplete_details',
];
/** Fields that say more when the job has failed, and something else when it has not. */
const MESSAGES = [
  'task_status_msg',
  'status_message',
  'status_msg',
  'message',
  'msg',
  'reason',
  'detail',
  'details',
  'description',
];
const MORE = ['details', 'detail', 'error_details', 'errorDetails'];
const CLASSES = ['failure_code', 'failureCode'];

/**
 * The error that an answer tells of, in any of its layers: a field for errors, with its details; a mark such as `success: false`, or a
 * state of an inner layer, with the message beside it. When the job is said to have failed, any message counts.
 */
export function errorIn(body: JsonObject, failed: boolean): AnswerError | undefined {
  const layers = layersOf(body);
  const beside = layers.slice(0, 3);
  for (const layer of layers) {
    const error = ERRORS.map((name) =>
      isNoError(layer[name]) ? undefined : errorOf(layer[name], layer, ...beside),
    ).find((each) => each !== undefined);
    if (error) return withDetails(error, layer);
  }
  for (const layer of layers)
    if (failed || hasFailed(layer)) {
      const error = MESSAGES.map((name) => (isNoError(layer[name]) ? undefined : errorOf(layer[name], layer))).find(
        (each) => each !== undefined,
      );
      if (error) return error;
    }
  const marked = failed ? undefined : layers.find((layer) => hasFailed(layer));
  return marked && { message: `the provider reported a failure without a reason (${markOf(marked)})` };
}

/** `0`, `none` and the like in a field for errors. */
function isNoError(value: Json | undefined): boolean {
  const text = typeof value === 'boolean' ? String(value) : nonBlankText(value);
  if (text !== undefined) return /^(0|none|null|no|false|success|succeed|succeeded|ok)$/i.test(text.trim());
  const { code, message } = asObject(value);
  return (code === 0 || code === '0') && stateOf(nonBlankText(message)) !== 'failed';
}

/** An error alone is often terse: `Job processing failed`. */
function withDetails(error: AnswerError, layer: JsonObject): AnswerError {
  const name = CLASSES.map((each) => nonBlankText(layer[each])).find((each) => each !== undefined);
  const details = MORE.map((each) => errorOf(layer[each])).find(
    (each) => each !== undefined && each.message !== error.message,
  );
  const told =
    details && !error.message.includes(details.message) ? `${error.message}: ${details.message}` : error.message;
  return { class: error.class ?? details?.class ?? name, message: told };
}

/** Marks of a failure beside a state that says otherwise: handlers report their errors inside of a completed job. */
function hasFailed(layer: JsonObject): boolean {
  return markOf(layer) !== undefined;
}

function markOf(layer: JsonObject): string | undefined {
  for (const name of ['success', 'ok', 'succeeded'])
    if (layer[name] === false || layer[name] === 'false') return `${name}: false`;
  for (const name of ['status', 'state']) {
    const word = nonBlankText(layer[name]);
    if (typeof layer[name] === 'string' && stateOf(word) === 'failed') return `${name}: ${word}`;
  }
  const { status_code: code } = layer;
  return typeof code === 'number' && code !== 0 && (code < 200 || code > 299) ? `status_code: ${code}` : undefined;
}
