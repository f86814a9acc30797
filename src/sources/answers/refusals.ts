import type { JsonObject } from '../../json/json.ts';
import type { AnswerError } from './answer-error.ts';
import { asArray, nonBlankText } from './json-access.ts';

/** Why a provider kept an output back. */
export interface Refusal extends AnswerError {
  /** The bytes beside it are not the result: a blurred picture, or none. */
  withholds?: boolean;
  /** Only a word was said, no sentence. */
  bare?: boolean;
}

const ENDINGS = ['finish_reason', 'finishReason', 'block_reason', 'blockReason', 'stop_reason'];
/** Endings that kept something back. Others, such as `STOP` and `SUCCESS`, are no refusal. */
const REFUSES =
  /filter|error|safety|block|moderat|prohibit|nsfw|recitation|denied|reject|content_policy|other|no_image|malformed/i;
const MESSAGES = [
  'finishMessage',
  'finish_message',
  'blockReasonMessage',
  'block_reason_message',
  'raiFilteredReason',
  'rai_filtered_reason',
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
];

/** Reads from one object of an answer why the provider kept its output back; undefined when nothing says so. */
export function refusalIn(object: JsonObject): Refusal | undefined {
  const word = ENDINGS.map((name) => nonBlankText(object[name])).find(
    (each) => each !== undefined && REFUSES.test(each),
  );
  const said = MESSAGES.flatMap((name) => [object[name], ...asArray(object[name])])
    .map((value) => nonBlankText(value))
    .filter((text) => text !== undefined);
  const mark = MARKS.find(([name, value]) => object[name] === value);
  if (word === undefined && said.length === 0 && !mark) return undefined;
  const message = said.length > 0 ? [...new Set(said)].join('; ') : undefined;
  return {
    class: word ?? mark?.[0],
    message: message ?? `the provider gave no output (${word ?? `${mark?.[0]}: ${mark?.[1]}`})`,
    ...(message === undefined && { bare: true }),
    withholds: word !== undefined || mark !== undefined,
  };
}
