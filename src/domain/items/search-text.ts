import { cutBytes } from '../../storage/keys.ts';
import type { ItemFields } from './item-fields.ts';

const MAX_BYTES = 8000;
/** Leaves room for the other fields after a long prompt. */
const MAX_PROMPT_BYTES = 5000;

/** The text that `q` searches: words by which a person would look for the item, including those from its file and provider. */
export function searchText(fields: ItemFields): string {
  const { generation = {} } = fields;
  const said = (name: string) => {
    const value = generation[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  const words = new Set([
    cutBytes(fields.prompt ?? '', MAX_PROMPT_BYTES),
    fields.model,
    fields.toolName,
    fields.filename,
    ...fields.tags,
    said('model'),
    said('sampler'),
    said('seed'),
    cutBytes(said('negativePrompt') ?? '', 2000),
    said('prompt'),
  ]);
  return cutBytes([...words].filter(Boolean).join('\n'), MAX_BYTES);
}
