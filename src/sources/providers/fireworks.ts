import { readerOf } from '../answers/read-answer.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

/** Fireworks: images, at once or as a result that is asked for. */
export const fireworks = {
  name: 'fireworks',
  parse: readerOf({
    id: ['id', 'request_id'],
    state: ['status'],
    prompt: ['result.prompt'],
    facts: { seed: ['result.seed', 'seed'], finishReason: ['finishReason'] },
  }),
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;
