import { cutBytes } from '../storage/keys.ts';
import type { ItemFields } from './item-fields.ts';

const MAX_BYTES = 8000;

/** What `q` searches: the words by which a person would look for the item. */
export function searchText(fields: ItemFields): string {
  const negative = fields.generation?.['negativePrompt'];
  const words = [
    fields.prompt,
    typeof negative === 'string' ? negative : undefined,
    fields.model,
    fields.toolName,
    fields.filename,
    ...fields.tags,
  ];
  return cutBytes(words.filter(Boolean).join('\n'), MAX_BYTES);
}
