import type { JsonObject } from '../../json/json.ts';
import type { AnswerError } from './answer-error.ts';
import { asArray, asObject, nonBlankText } from './json-access.ts';

/** Why a provider kept an output back. */
export interface Refusal extends AnswerError {
  /** The bytes beside it are not the result: a blurred picture, or none. */
  withholds?: boolean;
  /** Only a word was said, no sentence. */
  bare?: boolean;
  /** It tells why there is no output, if there is none. */
  mild?: boolean;
}

const ENDINGS = ['finish_reason', 'finishReason', 'block_reason', 'blockReason', 'stop_reason'];
/** Endings that kept something back. Others, such as `STOP` and `SUCCESS`, are no refusal. */
const REFUSES =
  /filter|error|safety|block|moderat|prohibit|nsfw|recitation|denied|reject|content_policy|other|no_image|malformed/i;
/** Endings that say nothing. */
const PLAIN =
  /^(finish_?reason_?)?(stop|success|succeeded|completed?|done|end_turn|none|null|unspecified|tool_calls?)$/i;
const MESSAGES = [
  'finishMessage',
  'finish_message',
  'blockReasonMessage',
  'block_reason_message',
  'raiFilteredReason',
  'rai_filtered_reason',
  'raiTextFilteredReason',
  'raiMediaFilteredReasons',
  'rai_media_filtered_reasons',
  'refusal',
  'moderation_reasons',
  'moderationReasons',
  'Moderation Reasons',
];
/** Marks that a file was kept back, and the value that says so. */
const MARKS: readonly (readonly [name: string, value: boolean])[] = [
  ['is_image_safe', false],
  ['respect_moderation', false],
  ['is_moderated', true],
  ['blocked', true],
  ['filtered', true],
  ['censored', true],
];

/** Reads from one object of an answer why the provider kept its output back; undefined when nothing says so. */
export function refusalIn(object: JsonObject): Refusal | undefined {
  const word = ENDINGS.map((name) => nonBlankText(object[name])).find(
    (each) => each !== undefined && REFUSES.test(each),
  );
  const said = MESSAGES.flatMap((name) => [object[name], asObject(object[name])['reason'], ...asArray(object[name])])
    .map((value) => nonBlankText(value))
    .filter((text) => text !== undefined);
  const mark = MARKS.find(([name, value]) => object[name] === value);
  if (word === undefined && said.length === 0 && !mark) return mildRefusalIn(object);
  const message = said.length > 0 ? [...new Set(said)].join('; ') : undefined;
  return {
    class: word ?? mark?.[0],
    message: message ?? `the provider gave no output (${word ?? `${mark?.[0]}: ${mark?.[1]}`})`,
    ...(message === undefined && { bare: true }),
    withholds: word !== undefined || mark !== undefined,
  };
}

/** Another ending than the usual one, such as `MAX_TOKENS`; or the endings of several outputs, each of which stands beside its own. */
function mildRefusalIn(object: JsonObject): Refusal | undefined {
  const words = [
    ...ENDINGS.map((name) => object[name]),
    ...asArray(object['finish_reasons']),
    ...asArray(object['finishReasons']),
  ];
  const word = words.map((each) => nonBlankText(each)).find((each) => each !== undefined && !PLAIN.test(each));
  if (word === undefined) return undefined;
  return { class: word, message: `the provider gave no output (${word})`, bare: true, mild: true };
}
