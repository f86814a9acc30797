import type { Json, JsonObject } from '../../json/json.ts';
import { type AnswerError, errorOf } from './answer-error.ts';
import { asArray, asObject, nonBlankText } from './json-access.ts';
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
  'file',
  'item',
  'event_data',
  'results',
  'resp',
  'base_resp',
] as const;
const MAX_DEPTH = 3;

/** The answer and what it wraps, from the outside in. */
export function layersOf(body: JsonObject): JsonObject[] {
  const layers = [uncapitalized(body)];
  let last = layers;
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    last = last.flatMap((layer) =>
      WRAPPERS.map((name) => uncapitalized(asObject(layer[name]))).filter((inner) => Object.keys(inner).length > 0),
    );
    layers.push(...last);
  }
  return layers;
}

/** Some write every name with a capital: `{Response: {Status, ErrorMessage}}`. */
function uncapitalized(layer: JsonObject): JsonObject {
  const names = Object.keys(layer);
  if (names.length === 0 || names.length > 100 || !names.every((name) => /^[A-Z]/.test(name))) return layer;
  return Object.fromEntries(names.map((name) => [name.charAt(0).toLowerCase() + name.slice(1), layer[name] ?? null]));
}

const MAX_ENTRIES = 100;
/** Lists of what was asked for, or of what is told besides. */
const NO_RESULTS = /^(inputs?|requests?|params|parameters|args|logs?|messages|actions|buttons|tools)$/i;

/** The entries of the lists in these layers: one of several results may have failed. */
function entriesOf(layers: readonly JsonObject[]): JsonObject[] {
  const lists = layers.flatMap((layer) =>
    Object.entries(layer).flatMap(([name, value]) => (NO_RESULTS.test(name) ? [] : [asArray(value)])),
  );
  return lists
    .flatMap((list) => list.slice(0, MAX_ENTRIES).map((entry) => asObject(entry)))
    .filter((entry) => Object.keys(entry).length > 0)
    .slice(0, MAX_ENTRIES)
    .flatMap((entry) => layersOf(entry));
}

/** Fields that hold an error whatever the state. */
const ERRORS = [
  'error',
  'errors',
  'error_message',
  'errorMessage',
  'error_msg',
  'errorMsg',
  'err_msg',
  'errMsg',
  'err',
  'task_error',
  'taskError',
  'exception',
  'fault',
  'execution_error',
  'failure',
  'failure_reason',
  'failureReason',
  'failure_message',
  'failureMessage',
  'fail_reason',
  'failReason',
  'failed_reason',
  'fail_msg',
  'failMsg',
  'raiErrorMessage',
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
  'body',
  'content',
];
const MORE = ['details', 'detail', 'error_details', 'errorDetails', 'message', 'msg'];
const CLASSES = [
  'failure_code',
  'failureCode',
  'fail_code',
  'failCode',
  'err_code',
  'errCode',
  'error_code',
  'errorCode',
];

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
  const ofEntry = errorOfEntries(entriesOf(layers));
  if (ofEntry) return ofEntry;
  return failed ? (textAlone(layers) ?? codeAlone(layers)) : markAlone(layers);
}

/** What tells of a failure in an answer without any output: a code, a traceback, a text, or a mark without a reason. */
export function failureInside(body: JsonObject): AnswerError | undefined {
  const layers = layersOf(body);
  for (const { code, message, msg, traceback, output, result } of layers.slice(1)) {
    const said = isErrorCode(code) ? (errorOf(message) ?? errorOf(msg)) : undefined;
    if (said) return { ...said, class: said.class ?? nonBlankText(code) };
    const lines = [traceback, output, result].map((text) => nonBlankText(text)).find((text) => isTraceback(text));
    if (lines !== undefined) return errorOf(lines.slice(-10_000));
  }
  const text = [body['output'], body['result']].map((value) => nonBlankText(value)).find((each) => isTraceback(each));
  return errorOf(text) ?? markAlone(entriesOf(layers));
}

/** `Error: …`, `ValueError: …`, `Traceback (most recent call last): …` */
function isTraceback(text: string | undefined): boolean {
  return text !== undefined && /^\s{0,20}(\w{0,60}error|\w{0,60}exception|traceback[ \w()]{0,40}):/i.test(text);
}

function markAlone(layers: readonly JsonObject[]): AnswerError | undefined {
  const marked = layers.find((layer) => hasFailed(layer));
  return marked && { message: `the provider reported a failure without a reason (${markOf(marked)})` };
}

/** What an entry of a list says of its own failure; an entry with a code and a message, and nothing else, is one. */
function errorOfEntries(entries: readonly JsonObject[]): AnswerError | undefined {
  for (const entry of entries) {
    const error = ERRORS.map((name) => (isNoError(entry[name]) ? undefined : errorOf(entry[name], entry))).find(
      (each) => each !== undefined,
    );
    if (error) return error;
    const { code, message } = entry;
    const isError = hasFailed(entry) || (isErrorCode(code) && nonBlankText(message) !== undefined);
    const said = isError ? MESSAGES.map((name) => errorOf(entry[name], entry)).find((each) => each) : undefined;
    if (said) return { ...said, class: said.class ?? nonBlankText(code) };
  }
  return undefined;
}

/** The reason in the place of a result. */
function textAlone(layers: readonly JsonObject[]): AnswerError | undefined {
  const texts = layers.flatMap(({ result, output }) => [nonBlankText(result), nonBlankText(output)]);
  return errorOf(texts.find((text) => text !== undefined && text.length < 2000 && /\S\s+\S/.test(text)));
}

/** A failure of which only the code was said. */
function codeAlone(layers: readonly JsonObject[]): AnswerError | undefined {
  const code = layers
    .flatMap((layer) => CLASSES.map((name) => (isNoError(layer[name]) ? undefined : nonBlankText(layer[name]))))
    .find((each) => each !== undefined);
  return code === undefined ? undefined : { class: code, message: code };
}

const REFUSALS = ['message', 'msg', 'detail', 'details', 'error_description', 'reason', 'title'];
const GOOD_NEWS =
  /\b(success|successfully|succeed|succeeded|ok|accepted|submitted|queued|created|received|started|processing|pending)\b/i;
const BAD_NEWS = /\b(no|not|cannot|could|fail|failed|failure|error|errors|invalid|already)\b/i;
const JOB_ID = /(^|_|[a-z])(id|ids|uuid)$/i;

/**
 * A request that was refused before there was a job: `{detail}`, `{status: 404, title, detail}`, `{code: 'InvalidKey', message}`. A message
 * beside the id of a job, or with good news, is no refusal.
 */
export function refusedRequest(body: JsonObject): AnswerError | undefined {
  const [top = {}, ...inner] = layersOf(body);
  const said = REFUSALS.map((name) => errorOf(top[name], top)).find((each) => each !== undefined);
  if (!said) return undefined;
  const code = ['code', 'error_code', 'errorCode', 'status', 'statusCode', 'status_code']
    .map((name) => top[name])
    .find((each) => isErrorCode(each));
  const hasJob = [top, ...inner].some((layer) =>
    Object.entries(layer).some(([name, value]) => JOB_ID.test(name) && nonBlankText(value) !== undefined),
  );
  if (code === undefined && (hasJob || isGoodNews(said.message))) return undefined;
  return { class: said.class ?? nonBlankText(code), message: said.message };
}

function isGoodNews(message: string): boolean {
  return GOOD_NEWS.test(message) && !BAD_NEWS.test(message);
}

/** A status of HTTP from 400 on, or a word for an error. */
function isErrorCode(code: Json | undefined): boolean {
  if (typeof code === 'number') return code >= 400 && code < 600;
  const word = nonBlankText(code);
  if (word === undefined || /\s/.test(word)) return false;
  if (/^\d+$/.test(word)) return isErrorCode(Number(word));
  return !GOOD_NEWS.test(word.replace(/_/g, ' ')) && !['queued', 'running', 'succeeded'].includes(stateOf(word) ?? '');
}

/** `0`, `none` and the like in a field for errors. */
function isNoError(value: Json | undefined): boolean {
  const text = typeof value === 'boolean' ? String(value) : nonBlankText(value);
  if (text !== undefined) return /^(0|none|null|no|false|success|succeed|succeeded|ok)$/i.test(text.trim());
  const parts = Object.values(asObject(value));
  if (parts.length > 0 && parts.every((part) => part === null || part === 0 || part === '')) return true;
  const { code, message } = asObject(value);
  return (code === 0 || code === '0') && stateOf(nonBlankText(message)) !== 'failed';
}

/** An error alone is often terse: `Job processing failed`. */
function withDetails(error: AnswerError, layer: JsonObject): AnswerError {
  const name = CLASSES.map((each) => nonBlankText(layer[each])).find((each) => each !== undefined);
  const details = MORE.map((each) => errorOf(layer[each])).find(
    (each) => each !== undefined && each.message !== error.message && !isGoodNews(each.message),
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
  for (const name of ['faulted', 'isError', 'is_error', 'has_error']) if (layer[name] === true) return `${name}: true`;
  for (const name of ['status', 'state', 'result']) {
    const word = layer[name];
    const isWord = typeof word === 'string' && (name !== 'result' || /^\w+$/.test(word));
    if (isWord && stateOf(word) === 'failed') return `${name}: ${word}`;
  }
  const code = layer['status_code'] ?? layer['statusCode'];
  return typeof code === 'number' && code !== 0 && (code < 200 || code > 299) ? `status_code: ${code}` : undefined;
}
