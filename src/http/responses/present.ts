import type { MediaItem } from '../../db/item-columns.ts';
import type { FastifyReply } from 'fastify';
import { countThatFits } from '../../domain/search/answer-size.ts';
import { RenderedItems } from './rendered-items.ts';
import type { SearchPage } from '../../domain/search/search.ts';

/** Adds an item's permanent URL, in place; the URL is derived from the configuration alone. */
export function present<T extends MediaItem>(item: T, publicBaseUrl: string): T & { url: string | null } {
  // A pending one is read from its original URL.
  const hasBytes =
    (item.status !== 'failed' && (item.storageUrl ?? '') !== '') ||
    (item.status === 'pending' && item.originalUrl !== null);
  return Object.assign(item, { url: hasBytes ? `${publicBaseUrl}/v1/media/${item.id}/content` : null });
}

/** Items of listings as JSON, cached by row version. */
export function createRenderedItems(publicBaseUrl: string): RenderedItems {
  return new RenderedItems((item) => JSON.stringify(present(item, publicBaseUrl)));
}

const BEGIN = Buffer.from('{"items":[');
const COMMA = Buffer.from(',');

/** Sends a page, shortened where its items would make the response too large. */
export async function sendPage(
  { rendered }: { rendered: RenderedItems },
  reply: FastifyReply,
  page: SearchPage,
): Promise<never> {
  const texts = await rendered.of(page);
  // JSON escapes make texts longer than the bytes in the row, by which the page was measured.
  const fitting = countThatFits(texts, (text) => text?.length ?? 0);
  const items = texts.slice(0, fitting).filter((text) => text !== undefined);
  const rest = { nextCursor: page.cursorAfter(fitting), ...(page.total !== undefined && { total: page.total }) };
  reply.type('application/json; charset=utf-8');
  const parts = items.flatMap((item, index) => (index === 0 ? [item] : [COMMA, item]));
  // Bytes already, so the route's response type does not apply.
  return Buffer.concat([BEGIN, ...parts, Buffer.from(`],${JSON.stringify(rest).slice(1)}`)]) as never;
}
