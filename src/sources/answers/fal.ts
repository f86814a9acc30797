import type { JsonObject } from '../../json/json.ts';
import { type AnswerError, errorOf } from './answer-error.ts';
import { type ProviderAnswer, asObject, asText, present } from './answer.ts';
import { findOutputs } from './find-outputs.ts';

/** FAL: a direct answer, or a webhook with the answer as its `payload`. Whatever in it is the address of a file is an output. */
export function falAnswer(response: unknown): ProviderAnswer {
  const body = asObject(response);
  const wrapped = body['payload'] !== undefined || body['status'] === 'OK' || body['status'] === 'ERROR';
  const result = wrapped ? asObject(body['payload']) : body;
  // FAL's own clients put the answer into `data`.
  const payload = { ...asObject(result['data']), ...result };
  const failed = body['status'] === 'ERROR';
  const outputs = findOutputs(result, [], detailsOf);
  const error = errorIn(body, failed || outputs.length === 0 ? result['detail'] : undefined);
  return {
    id: asText(body['request_id']) ?? asText(payload['request_id']) ?? asText(payload['requestId']),
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

/** `error` says little (`Invalid status code: 422`); what is wrong with which field stands in the payload's `detail`. */
function errorIn(body: JsonObject, details: unknown): AnswerError | undefined {
  const said = errorOf(body['error'], body);
  const unsent = errorOf(body['payload_error']);
  const detail = errorOf(details);
  if (!detail && !said) return unsent && { ...unsent, class: unsent.class ?? 'payload_error' };
  const status = /status code:? (\d{3})\b/i.exec(said?.message ?? '')?.[1];
  const messages = [said?.message, detail?.message].filter((message) => message !== undefined);
  return { class: detail?.class ?? said?.class ?? status, message: [...new Set(messages)].join(': ') };
}

function detailsOf({ duration, fps, num_frames: frames }: JsonObject): { generation: JsonObject } {
  return { generation: present({ duration, fps, frames }) };
}
