import { cutBytes } from '../../storage/keys.ts';
import { WORDS_VERSION } from '../words/split.ts';
import { tsvectorOf } from '../words/vector.ts';
import type { ItemFields } from './item-fields.ts';

/** A prompt is searched this far. */
const MAX_BYTES = 64 * 1024;

/** The fields whose words are searched. */
export type SearchedFields = Pick<ItemFields, 'prompt' | 'model' | 'toolName' | 'filename' | 'tags' | 'generation'>;

/** The columns that `q` searches: words by which a person would look for the item, including those from its file and provider. */
export function searchColumns(fields: SearchedFields): { search_words: string; search_version: number } {
  const { generation = {} } = fields;
  const said = (name: string) => {
    const value = generation[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  const texts = new Set(
    [
      fields.prompt,
      fields.model,
      fields.toolName,
      fields.filename,
      ...fields.tags,
      said('model'),
      said('sampler'),
      said('seed'),
      said('negativePrompt'),
      said('prompt'),
    ].flatMap((text) => (text === undefined || text === '' ? [] : [cutBytes(text, MAX_BYTES)])),
  );
  return { search_words: tsvectorOf(texts), search_version: WORDS_VERSION };
}
