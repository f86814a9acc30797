import { errorOf } from './answer-error.ts';
import { type AnswerOutput, type ProviderAnswer, asArray, asObject, asText, present } from './answer.ts';

/** Gemini's `generateContent`, or Imagen's predictions. From general knowledge of the format: a best effort. */
export function geminiAnswer(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const error = errorOf(body['error']);
  const parts = asArray(body['candidates']).flatMap((candidate) =>
    asArray(asObject(asObject(candidate)['content'])['parts']),
  );
  const inline = parts.flatMap((part): AnswerOutput[] => {
    const { inlineData, inline_data: older } = asObject(part);
    const data = asObject(inlineData ?? older ?? null);
    const text = asText(data['data']);
    return text === undefined
      ? []
      : [
          {
            from: [{ type: 'base64', data: text }],
            contentType: asText(data['mimeType']) ?? asText(data['mime_type']),
          },
        ];
  });
  const predictions = asArray(body['predictions']).flatMap((entry): AnswerOutput[] => {
    const { bytesBase64Encoded: data, mimeType, prompt } = asObject(entry);
    const text = asText(data);
    if (text === undefined) return [];
    return [
      {
        from: [{ type: 'base64', data: text }],
        contentType: asText(mimeType),
        generation: present({ revisedPrompt: asText(prompt) }),
      },
    ];
  });
  const outputs = [...inline, ...predictions];
  const reason = asText(asObject(asArray(body['candidates'])[0])['finishReason']);
  const refused = outputs.length === 0 && error === undefined;
  const said = parts.map((part) => asText(asObject(part)['text'])).find((text) => text !== undefined);
  return {
    state: error || refused ? 'failed' : 'succeeded',
    error:
      error ??
      (refused ? { class: reason, message: said ?? `no image came (${reason ?? 'no reason given'})` } : undefined),
    outputs,
    model: asText(body['modelVersion']),
    generation: present({ usage: body['usageMetadata'], finishReason: reason }),
  };
}

/** Stability: one image, or `artifacts`. From general knowledge of the format: a best effort. */
export function stabilityAnswer(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const single = asText(body['image']);
  const outputs = single === undefined ? [] : [output(single, body['seed'], body['finish_reason'])];
  for (const entry of asArray(body['artifacts'])) {
    const artifact = asObject(entry);
    const data = asText(artifact['base64']);
    if (data !== undefined) outputs.push(output(data, artifact['seed'], artifact['finishReason']));
  }
  const error =
    errorOf(body['errors']) ??
    (outputs.length === 0 ? (errorOf(body['message']) ?? { message: 'no image came' }) : undefined);
  return {
    id: asText(body['id']),
    state: outputs.length === 0 ? 'failed' : 'succeeded',
    error,
    outputs,
    generation: present({ seed: body['seed'], finishReason: body['finish_reason'] }),
  };
}

function output(data: string, seed: unknown, finishReason: unknown): AnswerOutput {
  return {
    from: [{ type: 'base64', data }],
    generation: present({ seed: asText(seed), finishReason: asText(finishReason) }),
  };
}
