import type { Json } from '../../json/json.ts';
import { asArray, asObject, nonBlankText } from './answer.ts';

/** What went wrong. `class` is the provider's own name for that kind of error: `RuntimeError`, `TIMED_OUT`, `moderation_blocked`. */
export interface AnswerError {
  class?: string | undefined;
  message: string;
}

const MESSAGES = [
  'message',
  'error_message',
  'errorMessage',
  'exception_message',
  'error',
  'detail',
  'msg',
  'reason',
  'title',
];
/** Beside an error these name its class; a plain `type` or `status` there is about something else. */
const CLASSES = ['error_class', 'errorClass', 'error_type', 'errorType', 'exception_type', 'error_code', 'errorCode'];
const OWN_CLASSES = ['class', ...CLASSES, 'type', 'status', 'code', 'name'];
const MAX_DEPTH = 4;
const MAX_LISTED = 20;

/**
 * An error in whatever shape it came: a text, JSON in a text, an object with a message, or a list of those.
 * @param beside where else its class may stand; undefined is answered all the same when `value` says nothing
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
  // Where a validator has stumbled: `["body", "prompt"]`.
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

/** RunPod's SDK puts JSON into a text; Python begins with the exception's name; Replicate ends with a code in brackets. */
function ofText(text: string, depth: number): AnswerError {
  if (/^\s*\{/.test(text)) {
    const parsed = parse(text);
    const found = parsed === undefined ? undefined : read(parsed, depth + 1);
    if (found) return found;
  }
  const name =
    /^\s*((?:\w+\.){0,8}\w{0,80}(?:Error|Exception|Interrupt|Timeout|Exit))(?::|\s*$)/.exec(text)?.[1] ??
    /\(([A-Z]\d{3,5})\)\s*$/.exec(text)?.[1];
  return { message: text, class: name };
}

/** The structure of a body is bounded, that of JSON inside of its texts is not: an error has no more than a few KB. */
const MAX_JSON_TEXT = 64 * 1024;

function parse(text: string): Json | undefined {
  if (text.length > MAX_JSON_TEXT) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** `<class 'torch.cuda.OutOfMemoryError'>` is how Python writes a class. */
function classIn(place: unknown, names: readonly string[]): string | undefined {
  const object = asObject(place);
  const found = names.flatMap((name) => nonBlankText(object[name]) ?? []);
  // Where there is a name, it says more than a number.
  const name = found.find((each) => !/^\d+$/.test(each)) ?? found[0];
  return name === undefined ? undefined : (/^<class '([^']+)'>$/.exec(name.trim())?.[1] ?? name);
}
