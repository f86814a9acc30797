import { readerOf } from '../../answers/read-answer.ts';
import type { ProviderDescriptor } from '../../description/provider-descriptor.ts';

/** Recraft: images, rasters and vectors. */
export const recraft = {
  name: 'recraft',
  parse: readerOf({
    stateless: 'succeeded',
    facts: { created: ['created'], cost: ['credits'] },
  }),
  imports: true,
  bestEffort: true,
  urlLifetimeMs: 24 * 60 * 60_000,
  webhooks: [],
} as const satisfies ProviderDescriptor;
