import { asObject, asArray, nonBlankText, withoutNulls } from '../answers/json-access.ts';
import { errorOf } from '../answers/answer-error.ts';
import { type AnswerOutput, type ProviderAnswer } from '../answers/answer.ts';
import type { ProviderDescriptor } from './descriptor.ts';

export const stability = {
  name: 'stability',
  parse,
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;

/** Reads one image, or a list of `artifacts`. */
function parse(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const single = nonBlankText(body['image']);
  const outputs = single === undefined ? [] : [output(single, body['seed'], body['finish_reason'])];
  for (const entry of asArray(body['artifacts'])) {
    const artifact = asObject(entry);
    const data = nonBlankText(artifact['base64']);
    if (data !== undefined) outputs.push(output(data, artifact['seed'], artifact['finishReason']));
  }
  const error =
    errorOf(body['errors']) ??
    (outputs.length === 0 ? (errorOf(body['message']) ?? { message: 'no image came' }) : undefined);
  return {
    id: nonBlankText(body['id']),
    state: outputs.length === 0 ? 'failed' : 'succeeded',
    error,
    outputs,
    generation: withoutNulls({ seed: body['seed'], finishReason: body['finish_reason'] }),
  };
}

function output(data: string, seed: unknown, finishReason: unknown): AnswerOutput {
  return {
    from: [{ type: 'base64', data }],
    generation: withoutNulls({ seed: nonBlankText(seed), finishReason: nonBlankText(finishReason) }),
  };
}
