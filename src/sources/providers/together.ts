import { readerOf } from '../answers/read-answer.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

/** Together: images, and videos by their id. */
export const together = {
  name: 'together',
  parse: readerOf({
    state: ['status'],
    stateless: 'succeeded',
    facts: { cost: ['outputs.cost', 'cost'] },
  }),
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;
