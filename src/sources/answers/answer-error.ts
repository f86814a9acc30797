import { asObject, asArray, nonBlankText } from './json-access.ts';
import type { Json } from '../../json/json.ts';

/** An error of a provider. `class` is its name for this kind of error, such as `RuntimeError`, `TIMED_OUT` or `moderation_blocked`. */
export interface AnswerError {
  class?: string | undefined;
  message: string;
}

const MESSAGES = [
  'message',
  'faultstring',
  'error_message',
  'errorMessage',
  'exception_message',
  'error',
  'detail',
  'msg',
  'reason',
  'title',
  'text',
];
/** Fields beside an error that hold its class. A plain `type` or `status` beside an error describes something else. */
const CLASSES = ['error_class', 'errorClass', 'error_type', 'errorType', 'exception_type', 'error_code', 'errorCode'];
const OWN_CLASSES = ['class', ...CLASSES, 'type', 'status', 'code', 'name'];
const MAX_DEPTH = 4;
const MAX_LISTED = 20;

/**
 * Reads an error in any shape: a string, JSON in a string, an object with a message, or a list of those.
 * @param beside objects that may hold the error's class when `value` does not
 * @returns undefined when `value` holds no error
 */
export function errorOf(value: unknown, ...beside: unknown[]): AnswerError | undefined {
  const error = read(value, 0);
  if (error === undefined || error.class !== undefined) return error;
  return { ...error, class: beside.map((place) => classIn(place, CLASSES)).find((name) => name !== undefined) };
}

function read(value: unknown, depth: number): AnswerError | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const text = nonBlankText(value);
  if (text !== undefined) return ofText(text, depth);
  const list = asArray(value);
  if (list.length > 0) return ofList(list, depth);
  const object = asObject(value);
  if (Object.keys(object).length === 0) return undefined;
  const said = MESSAGES.map((name) => read(object[name], depth + 1)).find((each) => each !== undefined);
  const name = classIn(object, OWN_CLASSES) ?? said?.class;
  // The path of the field that a validator refused, such as `["body", "prompt"]`.
  const where = asArray(object['loc']).flatMap((part) => nonBlankText(part) ?? []);
  const message = said?.message ?? name ?? JSON.stringify(value);
  return { class: name, message: where.length > 0 ? `${where.join('.')}: ${message}` : message };
}

function ofList(list: readonly Json[], depth: number): AnswerError | undefined {
  const errors = list.slice(0, MAX_LISTED).flatMap((entry) => read(entry, depth + 1) ?? []);
  if (errors.length === 0) return undefined;
  const more = list.length > MAX_LISTED ? [`and ${list.length - MAX_LISTED} more`] : [];
  return {
    class: errors.find((error) => error.class !== undefined)?.class,
    message: [...new Set(errors.map((error) => error.message)), ...more].join('; '),
  };
}

/** RunPod's SDK sends JSON in a string; Python messages begin with the exception's name; Replicate's end with a code in brackets. */
function ofText(text: string, depth: number): AnswerError {
  if (/^\s*\{/.test(text)) {
    const parsed = parse(text);
    const found = parsed === undefined ? undefined : read(parsed, depth + 1);
    if (found) return found;
  }
  const name =
    /^\s*((?:\w{1,80}\.){0,8}\w{0,80}(?:Error|Exception|Interrupt|Timeout|Exit))(?::|\s*$)/.exec(text)?.[1] ??
    /\(([A-Z]\d{3,5})\)\s*$/.exec(text)?.[1];
  return { message: text, class: name };
}

/** In characters. The limits on a body's structure do not cover JSON inside its strings; real errors have a few KB at most. */
const MAX_JSON_TEXT = 64 * 1024;

function parse(text: string): Json | undefined {
  if (text.length > MAX_JSON_TEXT) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Python prints a class as `<class 'torch.cuda.OutOfMemoryError'>`. */
function classIn(place: unknown, names: readonly string[]): string | undefined {
  const object = asObject(place);
  const found = names.flatMap((name) => nonBlankText(object[name]) ?? []);
  // A name says more than a number.
  const name = found.find((each) => !/^\d+$/.test(each)) ?? found[0];
  return name === undefined ? undefined : (/^<class '([^']+)'>$/.exec(name.trim())?.[1] ?? name);
}
