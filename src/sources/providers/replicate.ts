import { asObject, nonBlankText, withoutNulls } from '../answers/json-access.ts';
import type { Json } from '../../json/json.ts';
import { errorOf } from '../answers/answer-error.ts';
import { type AnswerState, type ProviderAnswer } from '../answers/answer.ts';
import type { ProviderDescriptor } from './descriptor.ts';

export const replicate = {
  name: 'replicate',
  parse,
  imports: true,
  urlLifetimeMs: 60 * 60_000,
  webhooks: [
    {
      name: 'replicate',
      secret: {
        name: 'WEBHOOK_SECRET_REPLICATE',
        description: 'Signing key of Replicate webhooks (`whsec_…`).',
      },
      proof: { type: 'signature' },
    },
  ],
} as const satisfies ProviderDescriptor;

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

/** Reads a prediction, from Replicate's API or a webhook. */
function parse(response: unknown): ProviderAnswer {
  const prediction = asObject(response);
  const input = asObject(prediction['input']);
  const status = nonBlankText(prediction['status']) ?? '';
  const said = errorOf(prediction['error'], prediction);
  const state = STATES.get(status) ?? (said ? 'failed' : 'running');
  const error =
    state === 'canceled'
      ? { class: said?.class ?? status, message: said?.message ?? `the prediction was ${status}` }
      : said;
  return {
    id: nonBlankText(prediction['id']),
    state,
    error,
    outputs: urlsIn(prediction['output'] ?? null).map((url) => ({
      from: [url.startsWith('data:') ? { type: 'base64', data: url } : { type: 'url', url }],
    })),
    prompt: nonBlankText(input['prompt']),
    model: nonBlankText(prediction['model']) ?? nonBlankText(prediction['version']),
    generation: withoutNulls({
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

/** A model's output is a string, a list or an object; every URL and data URI in it is an output. */
function urlsIn(output: Json): string[] {
  if (typeof output === 'string') return /^(https?:\/\/|data:[a-z]+\/)/i.test(output) ? [output] : [];
  if (Array.isArray(output)) return output.flatMap((entry) => urlsIn(entry));
  return output !== null && typeof output === 'object' ? Object.values(output).flatMap((entry) => urlsIn(entry)) : [];
}
