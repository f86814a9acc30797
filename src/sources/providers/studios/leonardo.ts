import { readerOf } from '../../answers/read-answer.ts';
import type { ProviderDescriptor } from '../../description/provider-descriptor.ts';

/** Leonardo: a generation, or the webhook about one. */
export const leonardo = {
  name: 'leonardo',
  parse: readerOf({
    id: [
      'generations_by_pk.id',
      'data.object.id',
      'sdGenerationJob.generationId',
      'motionVideoGenerationJob.generationId',
      'id',
    ],
    state: ['generations_by_pk.status', 'data.object.status', 'status', 'type'],
    model: ['generations_by_pk.modelId', 'data.object.modelId', 'data.object.model.id'],
    facts: { cost: ['sdGenerationJob.apiCreditCost', 'data.object.apiCreditCost', 'generations_by_pk.apiCreditCost'] },
  }),
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;
