import type { MediaItem } from '../../db/item-columns.ts';
import { LRUCache } from 'lru-cache';
import type { SearchPage } from '../../domain/search/search.ts';

/** Bytes; items of usual size take 1 to 2 KB each. */
const MAX_KEPT = 16 * 1024 * 1024;
const MAX_ITEM = 64 * 1024;

/**
 * A cache of items as JSON, by the version of their rows. Each listing asks the database only for ids and versions, and reads
 * only uncached items: reading and serialising a hundred items costs several times what finding them does. Kept as bytes, because
 * a page of strings would be built, encoded and collected again for each response.
 */
export class RenderedItems {
  readonly #render: (item: MediaItem) => string;
  readonly #texts = new LRUCache<string, Buffer>({
    maxSize: MAX_KEPT,
    maxEntrySize: MAX_ITEM,
    sizeCalculation: (text) => text.length,
  });

  /** @param render must depend on the item alone */
  constructor(render: (item: MediaItem) => string) {
    this.#render = render;
  }

  /** Their texts in the order of the hits; undefined: it has been deleted since. */
  async of({ hits, read }: Pick<SearchPage, 'hits' | 'read'>): Promise<(Buffer | undefined)[]> {
    const known = hits.map(({ id, row_version }) => this.#texts.get(`${id} ${row_version}`));
    const unknown = hits.filter((_hit, index) => known[index] === undefined);
    if (unknown.length === 0) return known;
    const texts = new Map<string, Buffer>();
    for (const { item, rowVersion } of await read(unknown)) {
      const { id } = item;
      const text = Buffer.from(this.#render(item));
      texts.set(id, text);
      this.#texts.set(`${id} ${rowVersion}`, text);
    }
    return hits.map(({ id }, index) => known[index] ?? texts.get(id));
  }
}
