import { readerOf } from '../answers/read-answer.ts';
import type { ProviderDescriptor } from '../description/provider-descriptor.ts';

/** Gemini, Imagen and Veo, of the Gemini API and of Vertex AI. */
export const gemini = {
  name: 'gemini',
  parse: readerOf({
    id: ['id', 'name', 'responseId'],
    // A file that can be read.
    states: { active: 'succeeded' },
    stateless: 'failed',
    texts: ['candidates[].content.parts[].text', 'outputs[].text', 'response.candidates[].content.parts[].text'],
    model: ['modelVersion', 'model_version', 'model', 'response.modelVersion'],
    facts: {
      usage: ['usageMetadata', 'usage_metadata', 'usage'],
      finishReason: ['candidates[].finishReason', 'candidates[].finish_reason'],
    },
  }),
  imports: true,
  bestEffort: true,
  webhooks: [],
} as const satisfies ProviderDescriptor;
