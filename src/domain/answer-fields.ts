import type { AnswerOutput, ProviderAnswer } from '../sources/answers/answer.ts';
import { compactAnswer } from '../sources/answers/compact-answer.ts';
import { cutBytes } from '../storage/keys.ts';
import { suggestedName } from './ingest.ts';
import { type ItemFields, type ItemInput, checkFields } from './item-fields.ts';

/** What is known of all outputs of an answer. `base` is what the caller said, and counts more. */
export interface AnswerContext {
  base: ItemInput;
  userId: string;
  provider: string;
  jobId: string | undefined;
  answer: ProviderAnswer;
  /** The answer as it came. */
  body: unknown;
}

/** An answer may say anything; what cannot be kept is cut or left out rather than refused, for nobody could send it better. */
export function answerInput({ base, provider, jobId, answer, body }: AnswerContext): ItemInput {
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
export function outputFields(context: AnswerContext, output: AnswerOutput): ItemFields {
  const input = answerInput(context);
  const generation = { ...(input.generation as object), ...compactAnswer(output.generation ?? {}) };
  return checkFields(
    {
      ...input,
      filename: input.filename ?? suggestedName(output.filename),
      generation: Buffer.byteLength(JSON.stringify(generation)) <= MAX_GENERATION ? generation : input.generation,
    },
    context.userId,
  );
}

const MAX_GENERATION = 60 * 1024;

function clip(text: string | undefined, maxBytes: number): string | undefined {
  return text === undefined ? undefined : cutBytes(text.toWellFormed().replaceAll('\0', '\u{FFFD}'), maxBytes);
}

/** These columns are narrow; what does not fit is in the kept answer. */
function narrow(text: string | undefined): string | undefined {
  const clean = clip(text, 2000);
  return clean !== undefined && clean.length <= 20 ? clean : undefined;
}
