import { expect, test } from 'vitest';
import { GENERATED_IMAGES } from '../../../migrations/baseline/items.ts';
import { ITEM_INDEXES } from '../../../migrations/0003_words_and_revisions.ts';
import { columnOf } from '../../../src/db/item-columns.ts';
import { EXACT_FIELDS } from '../../../src/db/search/item-filter.ts';

const FEW = EXACT_FIELDS.filter(([, { filter }]) => filter === 'few').map(([field]) => columnOf(field));

test.each(FEW)('an index begins with %s, where a search for one value starts', (column) => {
  const indexes = [...(GENERATED_IMAGES.indexes ?? []), ...ITEM_INDEXES];
  const first = indexes.map(({ on }) => /^(?:USING hash )?\((\w+)/.exec(on)?.[1]);
  expect(first).toContain(column);
});
