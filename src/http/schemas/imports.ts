import { flatFields } from '../../shapes/item-fields.ts';
import { type Static, Type } from 'typebox';
import { IgnoredMedia, component, jsonObject, ref, requestComponent } from '../../shapes/common.ts';
import { MediaItem } from './media.ts';

const { status: _status, error: _error, sha256: _sha256, ...fields } = flatFields;

export const ImportRequest = requestComponent(
  'ImportRequest',
  {
    ...fields,
    metadata: Type.Optional(jsonObject("The caller's own data, up to 64 KiB and 32 levels.")),
    generation: Type.Optional(jsonObject('How it was made; added to what the answer says.')),
    // No type: it is an object or a list, and generated clients know no unions of these.
    response: Type.Unsafe<unknown>({
      description: "The provider's answer, verbatim: an object, or a list where the provider sends one.",
      examples: [{ created: 1_732_000_000, data: [{ url: 'https://cdn.example.com/out.png' }] }],
    }),
  },
  {
    additionalProperties: false,
    description: "A provider's answer, and the fields of its items.",
    examples: [
      { userId: 'user-1', prompt: 'a red fox', response: { data: [{ url: 'https://cdn.example.com/out.png' }] } },
    ],
  },
);
export type ImportRequest = Static<typeof ImportRequest>;

export const JobReference = component(
  'JobReference',
  {
    provider: Type.String({ description: 'Who generates.', examples: ['comfyui'] }),
    jobId: Type.String({ description: 'Id of the work there.' }),
  },
  { description: 'Work at a generator that has not ended; its outputs follow by themselves.' },
);

const ImportedItems = component(
  'ImportedItems',
  {
    items: Type.Array(ref(MediaItem), { description: 'One for each output, in the order of the answer.' }),
    ignored: Type.Array(ref(IgnoredMedia), {
      description: 'What else the answer holds of media, and why it is no output.',
    }),
    job: Type.Optional(ref(JobReference)),
  },
  {
    description: 'What was stored; an output that could not be had is a failed item with the reason.',
  },
);

export const promptResponse = {
  description: 'The ComfyUI prompt has not ended; a worker stores its outputs when it has.',
  content: { 'application/json': { schema: ref(ImportedItems) } },
};
export const importedResponse = {
  description: 'The items.',
  content: { 'application/json': { schema: ref(ImportedItems) } },
};
