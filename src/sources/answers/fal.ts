import {
  type AnswerOutput,
  type Json,
  type JsonObject,
  type ProviderAnswer,
  asObject,
  asText,
  errorOf,
  present,
} from './answer.ts';

/** FAL: a direct answer, or a webhook with the answer as its `payload`. Whatever in it has a URL and is no input is an output. */
export function falAnswer(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const wrapped = body['payload'] !== undefined || body['status'] === 'OK' || body['status'] === 'ERROR';
  const payload = wrapped ? asObject(body['payload']) : body;
  const failed = body['status'] === 'ERROR';
  const error =
    errorOf(body['error']) ?? errorOf(body['payload_error']) ?? (failed ? errorOf(payload['detail']) : undefined);
  const outputs = Object.values(payload).flatMap((value) => filesOf(value));
  return {
    id: asText(body['request_id']) ?? asText(payload['request_id']),
    state: failed || (error !== undefined && outputs.length === 0) ? 'failed' : 'succeeded',
    error: failed ? (error ?? { message: 'FAL reported an error without a message' }) : error,
    outputs,
    prompt: asText(payload['prompt']),
    generation: present({
      seed: payload['seed'],
      timings: payload['timings'],
      hasNsfwConcepts: payload['has_nsfw_concepts'],
      gatewayRequestId: body['gateway_request_id'],
    }),
  };
}

function filesOf(value: Json): AnswerOutput[] {
  if (Array.isArray(value)) return value.flatMap((entry) => filesOf(entry));
  const file = asObject(value);
  const url = asText(file['url']);
  if (url === undefined) return [];
  return [
    {
      // A data URI comes where `sync_mode` was asked for.
      from: [url.startsWith('data:') ? { type: 'base64', data: url } : { type: 'url', url }],
      filename: asText(file['file_name']),
      contentType: asText(file['content_type']),
      generation: detailsOf(file),
    },
  ];
}

function detailsOf(file: JsonObject): JsonObject {
  const { duration, fps, num_frames: frames } = file;
  return present({ duration, fps, frames });
}
