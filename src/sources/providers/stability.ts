import { readerOf } from '../answers/read-answer.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

/** Stability, and the image models of Amazon Bedrock. */
export const stability = {
  name: 'stability',
  parse: readerOf({
    stateless: 'failed',
    errors: ['errors', 'error'],
    facts: { finishReason: ['finish_reason'], modelId: ['modelId'] },
  }),
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;
