import type { MediaItem } from '../../db/item-columns.ts';
import type { FastifyReply } from 'fastify';
import { countThatFits } from '../../domain/search/answer-size.ts';
import { RenderedItems } from './rendered-items.ts';
import type { SearchPage } from '../../domain/search/search.ts';

/** An item as it goes out, the same object: with its permanent address, which is made from the configuration and from nothing else. */
export function present<T extends MediaItem>(item: T, publicBaseUrl: string): T & { url: string | null } {
  // A pending one is read from where it came.
  const hasBytes =
    (item.status !== 'failed' && item.storageUrl !== '') || (item.status === 'pending' && item.originalUrl !== null);
  return Object.assign(item, { url: hasBytes ? `${publicBaseUrl}/v1/media/${item.id}/content` : null });
}

/** Items of listings as texts, kept by row version. */
export function createRenderedItems(publicBaseUrl: string): RenderedItems {
  return new RenderedItems((item) => JSON.stringify(present(item, publicBaseUrl)));
}

const BEGIN = Buffer.from('{"items":[');
const COMMA = Buffer.from(',');

/** Sends a page, shorter than it was found where its items would make the answer too large. */
export async function sendPage(
  { rendered }: { rendered: RenderedItems },
  reply: FastifyReply,
  page: SearchPage,
): Promise<never> {
  const texts = await rendered.of(page);
  // Escapes make more of a text than its bytes in the row, by which the page was measured.
  const fitting = countThatFits(texts, (text) => text?.length ?? 0);
  const items = texts.slice(0, fitting).filter((text) => text !== undefined);
  const rest = { nextCursor: page.cursorAfter(fitting), ...(page.total !== undefined && { total: page.total }) };
  reply.type('application/json; charset=utf-8');
  const parts = items.flatMap((item, index) => (index === 0 ? [item] : [COMMA, item]));
  // Bytes already, so the type that the route's schema asks for is none of it.
  return Buffer.concat([BEGIN, ...parts, Buffer.from(`],${JSON.stringify(rest).slice(1)}`)]) as never;
}
