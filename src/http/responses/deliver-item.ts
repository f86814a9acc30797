import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ReadItem, Reader } from '../../domain/delivery/open-content.ts';
import { sendContent } from './content.ts';
import type { DeliveryDeps } from '../../domain/delivery/delivery-deps.ts';

/** The reader on a route with an optional token. */
export function readerOf(request: FastifyRequest): Reader {
  return request.caller ? { type: 'caller', caller: request.caller } : { type: 'anonymous' };
}

/** Sends the bytes of a readable item, as requested by the query (`ContentQuery`). */
export function deliverItem(
  deps: DeliveryDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  item: ReadItem,
): Promise<FastifyReply> {
  const { download, proxy, strip } = request.query as { download?: string; proxy?: string; strip?: string };
  return sendContent(deps, request, reply, item, {
    download: isTrue(download),
    proxy: isTrue(proxy),
    strip: strip !== undefined,
    access: item.visibility === 'public' ? 'public' : 'private',
  });
}

function isTrue(value: string | undefined): boolean {
  return value === '1' || value === 'true' || value === '';
}
