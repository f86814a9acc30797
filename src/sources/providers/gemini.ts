import { asObject, asArray, nonBlankText, withoutNulls } from '../answers/json-access.ts';
import { errorOf } from '../answers/answer-error.ts';
import { type AnswerOutput, type ProviderAnswer } from '../answers/answer.ts';
import type { ProviderDescriptor } from './descriptor.ts';

export const gemini = {
  name: 'gemini',
  parse,
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;

/** Reads an answer of Gemini's `generateContent`, or Imagen's predictions. */
function parse(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const error = errorOf(body['error']);
  const parts = asArray(body['candidates']).flatMap((candidate) =>
    asArray(asObject(asObject(candidate)['content'])['parts']),
  );
  const inline = parts.flatMap((part): AnswerOutput[] => {
    const { inlineData, inline_data: older } = asObject(part);
    const data = asObject(inlineData ?? older ?? null);
    const text = nonBlankText(data['data']);
    return text === undefined
      ? []
      : [
          {
            from: [{ type: 'base64', data: text }],
            contentType: nonBlankText(data['mimeType']) ?? nonBlankText(data['mime_type']),
          },
        ];
  });
  const predictions = asArray(body['predictions']).flatMap((entry): AnswerOutput[] => {
    const { bytesBase64Encoded: data, mimeType, prompt } = asObject(entry);
    const text = nonBlankText(data);
    if (text === undefined) return [];
    return [
      {
        from: [{ type: 'base64', data: text }],
        contentType: nonBlankText(mimeType),
        generation: withoutNulls({ revisedPrompt: nonBlankText(prompt) }),
      },
    ];
  });
  const outputs = [...inline, ...predictions];
  const reason = nonBlankText(asObject(asArray(body['candidates'])[0])['finishReason']);
  const refused = outputs.length === 0 && error === undefined;
  const said = parts.map((part) => nonBlankText(asObject(part)['text'])).find((text) => text !== undefined);
  return {
    state: error || refused ? 'failed' : 'succeeded',
    error:
      error ??
      (refused ? { class: reason, message: said ?? `no image came (${reason ?? 'no reason given'})` } : undefined),
    outputs,
    model: nonBlankText(body['modelVersion']),
    generation: withoutNulls({ usage: body['usageMetadata'], finishReason: reason }),
  };
}
