import { errorOf } from './answer-error.ts';
import { type ProviderAnswer, asArray, asObject, asText, bytesOf, present } from './answer.ts';
import { findOutputs } from './find-outputs.ts';

/** The answer of OpenAI's image routes. Its URLs live for 60 minutes. */
export function openaiAnswer(response: unknown): ProviderAnswer {
  const answer = asObject(response);
  const error = errorOf(answer['error']);
  const format = asText(answer['output_format']);
  const images = asArray(answer['data']).flatMap((entry) => {
    const { b64_json: base64, url, revised_prompt: revised } = asObject(entry);
    const from = [asText(base64), asText(url)].flatMap((text) => (text === undefined ? [] : [bytesOf(text)]));
    if (from.length === 0) return [];
    return [
      {
        from,
        contentType: format === undefined ? undefined : `image/${format}`,
        generation: present({ revisedPrompt: asText(revised) }),
      },
    ];
  });
  // The Responses API, and others that speak OpenAI's language.
  const outputs = images.length > 0 || error ? images : findOutputs(answer);
  return {
    state: error ? 'failed' : 'succeeded',
    error,
    outputs,
    model: asText(answer['model']),
    size: asText(answer['size']),
    quality: asText(answer['quality']),
    generation: present({
      created: answer['created'],
      usage: answer['usage'],
      background: answer['background'],
      outputFormat: format,
    }),
  };
}
