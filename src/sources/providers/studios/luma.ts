import { readerOf } from '../../answers/read-answer.ts';
import type { ProviderDescriptor } from '../../description/provider-descriptor.ts';

/** Luma: a generation of Dream Machine. */
export const luma = {
  name: 'luma',
  parse: readerOf({
    id: ['id'],
    state: ['state'],
    inputs: ['request'],
    errors: ['failure_reason'],
    prompt: ['request.prompt'],
  }),
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;
