import type { JsonObject } from '../../json/json.ts';
import type { KnownOutputs } from '../answers/answer-description.ts';
import { errorOf } from '../answers/answer-error.ts';
import { asObject, nonBlankText } from '../answers/json-access.ts';
import { readerOf } from '../answers/read-answer.ts';
import { stateOf } from '../answers/state-words.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

export const replicate = {
  name: 'replicate',
  parse: readerOf({
    state: ['status'],
    states: { aborted: 'canceled' },
    anyNameIn: ['output'],
    inputs: ['input'],
    error: ({ status, error, ...rest }) => {
      const said = errorOf(error, rest);
      const word = nonBlankText(status);
      return stateOf(word) === 'canceled'
        ? { class: said?.class ?? word, message: said?.message ?? `the prediction was ${word}` }
        : said;
    },
    known: fileOf,
    model: ['model', 'version'],
    facts: {
      version: ['version'],
      metrics: ['metrics'],
      startedAt: ['started_at'],
      completedAt: ['completed_at'],
      seed: ['input.seed'],
      negativePrompt: ['input.negative_prompt'],
      steps: ['input.num_inference_steps'],
      cfgScale: ['input.guidance_scale'],
    },
  }),
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

/** A file of Replicate's files API, which has its address in `urls.get`. */
function fileOf(body: JsonObject): KnownOutputs {
  const contentType = nonBlankText(body['content_type']);
  const url = nonBlankText(asObject(body['urls'])['get']);
  if (contentType === undefined || url === undefined || body['checksums'] === undefined)
    return { outputs: [], fields: [] };
  return {
    outputs: [{ from: [{ type: 'url', url }], filename: nonBlankText(body['name']), contentType }],
    fields: ['urls'],
  };
}
