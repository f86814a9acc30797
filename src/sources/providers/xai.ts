import { readerOf } from '../answers/read-answer.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

/** xAI: images, and videos by their request. */
export const xai = {
  name: 'xai',
  parse: readerOf({
    id: ['request_id', 'id'],
    state: ['status'],
    stateless: 'succeeded',
  }),
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;
