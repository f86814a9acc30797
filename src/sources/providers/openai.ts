import { asObject, asArray, nonBlankText, withoutNulls } from '../answers/json-access.ts';
import { errorOf } from '../answers/answer-error.ts';
import { type ProviderAnswer, bytesOf } from '../answers/answer.ts';
import { findOutputs } from '../answers/find-outputs.ts';
import type { ProviderDescriptor } from './descriptor.ts';

export const openai = {
  name: 'openai',
  parse,
  imports: true,
  urlLifetimeMs: 60 * 60_000,
  webhooks: [],
} as const satisfies ProviderDescriptor;

/** Reads an answer of OpenAI's image routes. */
function parse(response: unknown): ProviderAnswer {
  const answer = asObject(response);
  const error = errorOf(answer['error']);
  const format = nonBlankText(answer['output_format']);
  const images = asArray(answer['data']).flatMap((entry) => {
    const { b64_json: base64, url, revised_prompt: revised } = asObject(entry);
    const from = [nonBlankText(base64), nonBlankText(url)].flatMap((text) =>
      text === undefined ? [] : [bytesOf(text)],
    );
    if (from.length === 0) return [];
    return [
      {
        from,
        contentType: format === undefined ? undefined : `image/${format}`,
        generation: withoutNulls({ revisedPrompt: nonBlankText(revised) }),
      },
    ];
  });
  // The Responses API, and other providers with an OpenAI-compatible API.
  const outputs = images.length > 0 || error ? images : findOutputs(answer);
  return {
    state: error ? 'failed' : 'succeeded',
    error,
    outputs,
    model: nonBlankText(answer['model']),
    size: nonBlankText(answer['size']),
    quality: nonBlankText(answer['quality']),
    generation: withoutNulls({
      created: answer['created'],
      usage: answer['usage'],
      background: answer['background'],
      outputFormat: format,
    }),
  };
}
