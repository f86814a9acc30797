import type { GenerationData } from '../../media/generation/generation-data.ts';
import { ITEM } from '../../db/item-columns.ts';
import type { ItemFields } from './item-fields.ts';

/** Fills fields that the caller left empty from the file's embedded data; the caller's and provider's values take precedence. */
export function withFileData(fields: ItemFields, found: GenerationData | null | undefined): ItemFields {
  if (!found) return fields;
  const size = found.size !== undefined && found.size.length <= ITEM.size.varchar ? found.size : undefined;
  return {
    ...fields,
    prompt: fields.prompt || found.prompt,
    model: fields.model || found.model,
    size: fields.size || size,
    generation: { ...found, ...fields.generation },
  };
}
