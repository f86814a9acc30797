import type { JsonObject } from '../../json/json.ts';
import type { Inspection } from '../../media/inspect/inspect.ts';
import { ITEM } from '../../db/item-columns.ts';
import type { ItemFields } from './item-fields.ts';

/** Fills fields that the caller left empty from the file's embedded data; the caller's and provider's values take precedence. */
export function withFileData(
  fields: ItemFields,
  inspection: Pick<Inspection, 'generation' | 'stored'> | undefined,
): ItemFields {
  const found = inspection?.generation;
  const stored = inspection?.stored;
  const facts: JsonObject = stored ? { storedWidth: stored.width, storedHeight: stored.height } : {};
  if (!found) return stored ? { ...fields, generation: { ...facts, ...fields.generation } } : fields;
  const size = found.size !== undefined && found.size.length <= ITEM.size.varchar ? found.size : undefined;
  return {
    ...fields,
    prompt: fields.prompt || found.prompt,
    model: fields.model || found.model,
    size: fields.size || size,
    generation: { ...found, ...facts, ...fields.generation },
  };
}
