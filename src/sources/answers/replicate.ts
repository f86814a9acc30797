import type { Json } from '../../json/json.ts';
import { errorOf } from './answer-error.ts';
import { type AnswerState, type ProviderAnswer, asObject, asText, present } from './answer.ts';

const STATES: ReadonlyMap<string, AnswerState> = new Map(
  Object.entries({
    starting: 'queued',
    queued: 'queued',
    processing: 'running',
    succeeded: 'succeeded',
    failed: 'failed',
    canceled: 'canceled',
    aborted: 'canceled',
  } as const),
);

/** Replicate: a prediction, from its API or a webhook. Its output URLs are deleted after one hour. */
export function replicateAnswer(response: unknown): ProviderAnswer {
  const prediction = asObject(response);
  const input = asObject(prediction['input']);
  const status = asText(prediction['status']) ?? '';
  const said = errorOf(prediction['error'], prediction);
  const state = STATES.get(status) ?? (said ? 'failed' : 'running');
  const error =
    state === 'canceled'
      ? { class: said?.class ?? status, message: said?.message ?? `the prediction was ${status}` }
      : said;
  return {
    id: asText(prediction['id']),
    state,
    error,
    outputs: urlsIn(prediction['output'] ?? null).map((url) => ({
      from: [url.startsWith('data:') ? { type: 'base64', data: url } : { type: 'url', url }],
    })),
    prompt: asText(input['prompt']),
    model: asText(prediction['model']) ?? asText(prediction['version']),
    generation: present({
      seed: input['seed'],
      version: prediction['version'],
      metrics: prediction['metrics'],
      startedAt: prediction['started_at'],
      completedAt: prediction['completed_at'],
      negativePrompt: input['negative_prompt'],
      steps: input['num_inference_steps'],
      cfgScale: input['guidance_scale'],
    }),
  };
}

/** Models answer a text, a list or an object; whatever in it is an address of a file is an output. */
function urlsIn(output: Json): string[] {
  if (typeof output === 'string') return /^(https?:\/\/|data:[a-z]+\/)/i.test(output) ? [output] : [];
  if (Array.isArray(output)) return output.flatMap((entry) => urlsIn(entry));
  return output !== null && typeof output === 'object' ? Object.values(output).flatMap((entry) => urlsIn(entry)) : [];
}
