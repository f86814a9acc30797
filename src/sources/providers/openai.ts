import { readerOf } from '../answers/read-answer.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

/** OpenAI's image routes, its Responses API, and other providers with a compatible API. */
export const openai = {
  name: 'openai',
  parse: readerOf({
    id: ['response.id', 'id'],
    state: ['status', 'response.status', 'item.status'],
    states: { incomplete: 'failed' },
    stateless: 'succeeded',
    texts: [
      'choices[].message.refusal',
      'choices[].message.content',
      'output[].content[].refusal',
      'output[].content[].text',
      'response.output[].content[].text',
    ],
    size: ['size', 'output[].size', 'response.output[].size'],
    quality: ['quality', 'output[].quality', 'response.output[].quality'],
    imageFormat: ['output_format', 'output[].output_format'],
    facts: {
      created: ['created', 'created_at'],
      background: ['background'],
      outputFormat: ['output_format', 'output[].output_format'],
    },
  }),
  imports: true,
  urlLifetimeMs: 60 * 60_000,
  webhooks: [],
} as const satisfies ProviderDescriptor;
