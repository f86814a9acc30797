import type { GenerationData } from '../../media/generation/generation-data.ts';
import type { ItemFields } from './item-fields.ts';

const MAX_SIZE_CHARACTERS = 20;

/** What a file says of itself fills the gaps that the caller has left; what the caller or a provider said, counts. */
export function withFileData(fields: ItemFields, found: GenerationData | null | undefined): ItemFields {
  if (!found) return fields;
  const size = found.size !== undefined && found.size.length <= MAX_SIZE_CHARACTERS ? found.size : undefined;
  return {
    ...fields,
    prompt: fields.prompt || found.prompt,
    model: fields.model || found.model,
    size: fields.size || size,
    generation: { ...found, ...fields.generation },
  };
}
