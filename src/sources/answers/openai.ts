import { type ProviderAnswer, asArray, asObject, asText, bytesOf, errorOf, present } from './answer.ts';

/** The answer of OpenAI's image routes. Its URLs live for 60 minutes. */
export function openaiAnswer(response: unknown): ProviderAnswer {
  const answer = asObject(response);
  const error = errorOf(answer['error']);
  const format = asText(answer['output_format']);
  const outputs = asArray(answer['data']).flatMap((entry) => {
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
