import { readerOf } from '../../answers/read-answer.ts';
import type { ProviderDescriptor } from '../../description/provider-descriptor.ts';

/** Ideogram: images of any of its routes. */
export const ideogram = {
  name: 'ideogram',
  parse: readerOf({
    stateless: 'succeeded',
    size: ['data[].resolution'],
    facts: { created: ['created'] },
  }),
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;
