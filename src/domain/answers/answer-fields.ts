import type { AnswerOutput, ProviderAnswer } from '../../sources/answers/answer.ts';
import { compactAnswer } from '../../sources/answers/compact-answer.ts';
import { AppError } from '../../errors.ts';
import { storable } from '../../json/storable-text.ts';
import { cutBytes } from '../../storage/keys.ts';
import { suggestedName } from '../ingest/ingest.ts';
import { type ItemFields, type ItemInput, MAX_METADATA_BYTES, checkFields } from '../items/item-fields.ts';
import { checkJsonObject } from '../items/text-limits.ts';

/** Maximum bytes of the caller's fields over all items of one answer. */
const MAX_FIELD_BYTES = 32 * 1024 * 1024;

/** Bytes of JSON. @throws AppError too_large and others: checked before it is measured */
function sizeOf(field: string, value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(checkJsonObject(field, value, MAX_METADATA_BYTES)));
}

/** Maximum outputs of one answer; each becomes a row. */
export const MAX_ANSWER_OUTPUTS = 1000;
/** Above this many outputs, only the first item keeps the answer. */
const MAX_COPIES_OF_ANSWER = 16;

/** Facts that all outputs of an answer share. `base`, the caller's fields, takes precedence. */
interface AnswerParts {
  base: ItemInput;
  userId: string;
  provider: string;
  jobId: string | undefined;
  answer: ProviderAnswer;
  /** The answer as it arrived. */
  body: unknown;
}

export interface AnswerContext extends AnswerParts {
  /** Fields of each of its items. */
  input: ItemInput;
}

/** Computed once per answer, whatever the number of its outputs. */
export function answerContext(parts: AnswerParts): AnswerContext {
  return { ...parts, input: answerInput(parts) };
}

/** @throws AppError invalid_request: more outputs than one answer may have; too_large: the fields of each output are too large */
export function assertFew({ outputs }: ProviderAnswer, { prompt = '', metadata, generation }: ItemInput): void {
  const each = Buffer.byteLength(prompt) + sizeOf('metadata', metadata) + sizeOf('generation', generation);
  if (each * outputs.length > MAX_FIELD_BYTES)
    throw new AppError(
      'too_large',
      `The fields have ${each} bytes, and each of ${outputs.length} items would have them; at most ${MAX_FIELD_BYTES} bytes together are taken.`,
    );
  if (outputs.length > MAX_ANSWER_OUTPUTS)
    throw new AppError(
      'invalid_request',
      `The answer holds ${outputs.length} outputs or more; send at most ${MAX_ANSWER_OUTPUTS} at once.`,
      { field: 'response' },
    );
}

/** An answer's text is not the caller's to correct, so what cannot be stored is cut or left out instead of refused. */
function answerInput({ base, provider, jobId, answer, body }: AnswerParts): ItemInput {
  return {
    ...base,
    provider: base.provider ?? provider,
    prompt: base.prompt ?? clip(answer.prompt, 200_000),
    model: base.model ?? clip(answer.model, 2000),
    size: base.size ?? narrow(answer.size),
    quality: base.quality ?? narrow(answer.quality),
    jobId: base.jobId ?? clip(jobId, 2000),
    generation: { ...compactAnswer(answer.generation), ...(base.generation as object | undefined) },
    providerResponse: compactAnswer(body),
  };
}

/** The fields of one output's item. */
export function outputFields({ input, userId, answer }: AnswerContext, output: AnswerOutput, index = 0): ItemFields {
  const keepsAnswer = index === 0 || answer.outputs.length <= MAX_COPIES_OF_ANSWER;
  const generation = { ...(input.generation as object), ...compactAnswer(output.generation ?? {}) };
  return checkFields(
    {
      ...input,
      providerResponse: keepsAnswer ? input.providerResponse : undefined,
      filename: input.filename ?? suggestedName(output.filename),
      generation: Buffer.byteLength(JSON.stringify(generation)) <= MAX_GENERATION ? generation : input.generation,
    },
    userId,
  );
}

const MAX_GENERATION = 60 * 1024;

function clip(text: string | undefined, maxBytes: number): string | undefined {
  return text === undefined ? undefined : cutBytes(storable(text), maxBytes);
}

/** These columns are narrow; a longer value remains only in the stored answer. */
function narrow(text: string | undefined): string | undefined {
  const clean = clip(text, 2000);
  return clean !== undefined && clean.length <= 20 ? clean : undefined;
}
