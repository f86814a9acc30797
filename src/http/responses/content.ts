import type { FastifyReply, FastifyRequest } from 'fastify';
import type { DeliveredItem } from '../../db/items/delivery-row.ts';
import type { Location } from '../../db/objects/locations.ts';
import { type ReadAccess, chooseContent, redirectUrl } from '../../domain/delivery/choose-content.ts';
import { type ReadItem, openCachedContent } from '../../domain/delivery/open-content.ts';
import { openOriginal } from '../../domain/delivery/open-original.ts';
import { isGenerated, openStripped } from '../../domain/delivery/open-stripped.ts';
import { AppError } from '../../errors.ts';
import type { DeliveryDeps } from '../../domain/delivery/delivery-deps.ts';
import { contentHeaders } from '../../domain/delivery/content-headers.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { sendableStream } from './sendable-stream.ts';
import { allowsRange, checkConditions } from './conditions.ts';
import { parseRange } from './range.ts';

export interface ContentOptions {
  download: boolean;
  /** Send the bytes from here, even if their store could serve them. */
  proxy: boolean;
  /** Remove the file's metadata. */
  strip: boolean;
  access: ReadAccess;
}

/** Scripts never run, nothing is loaded, and the content type is ours: an SVG opened directly is a picture, not a page. */
const CONTENT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'";

/** Sends an item's bytes: whole, a part, not modified, or a redirect to the store. @throws AppError */
export async function sendContent(
  deps: DeliveryDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  item: ReadItem,
  options: ContentOptions,
): Promise<FastifyReply> {
  request.itemId = item.id;
  const { contentType, contentDisposition } = contentHeaders(item, options.download);
  const cache = cacheControl(options);
  reply.headers({
    'cache-control': cache,
    'x-content-type-options': 'nosniff',
    'content-security-policy': CONTENT_POLICY,
    'cross-origin-resource-policy': 'cross-origin',
    'referrer-policy': 'no-referrer',
  });
  if (options.access === 'private') {
    // CORS may have set its own already.
    const varies = [reply.getHeader('vary') ?? []].flat().map(String);
    reply.header('vary', [...varies, 'Authorization'].join(', '));
  }
  const chosen = await chooseContent(deps, item, options);
  if (chosen.from === 'elsewhere') return reply.redirect(chosen.url, 302);
  if (chosen.from === 'original') return sendOriginal(deps, request, reply, chosen.item, options);
  const { locations, bytes: size } = chosen;
  const generated = options.strip && (await isGenerated(deps, item));
  const etag = `"${chosen.tag}${options.strip ? '-stripped' : ''}${generated ? '-generated' : ''}"`;
  const validators = { etag, modified: Date.parse(item.createdAt) };
  reply.headers({
    etag,
    'last-modified': new Date(validators.modified).toUTCString(),
    'accept-ranges': options.strip ? 'none' : 'bytes',
  });
  const decided = checkConditions(request.headers, validators);
  if (decided === 'unmodified') return reply.code(304).send();
  if (decided === 'failed')
    throw new AppError('precondition_failed', 'The file is not the one that If-Match or If-Unmodified-Since names.');
  if (options.strip) {
    reply.headers({ 'content-type': contentType, 'content-disposition': contentDisposition });
    return sendStripped(deps, request, reply, item, { locations, generated });
  }
  if (!options.proxy && request.method === 'GET') {
    const headers = { contentType, contentDisposition, cacheControl: cache };
    const direct = await redirectUrl(deps, locations, headers, options);
    if (direct) {
      // Cached for less time than the redirect's target is valid.
      reply.header('cache-control', options.access === 'public' ? 'public, max-age=30' : 'private, no-cache');
      return reply.header('x-storage-provider', direct.store).redirect(direct.url, 302);
    }
  }
  reply.headers({ 'content-type': contentType, 'content-disposition': contentDisposition });
  const asked =
    allowsRange(asText(request.headers['if-range']), validators) && request.method === 'GET'
      ? parseRange(request.headers.range, size)
      : parseRange(undefined, size);
  if (asked.type === 'unsatisfiable') {
    reply.header('content-range', `bytes */${size}`);
    throw new AppError('range_not_satisfiable', `The file has ${size} bytes; the range begins beyond its end.`);
  }
  if (request.method === 'HEAD')
    return reply.header('content-length', size).header('x-storage-provider', locations[0]?.store).send();
  const signal = abortSignal(request, reply);
  const content = await openCachedContent(
    deps,
    item,
    locations,
    asked.type === 'part' ? asked.range : undefined,
    signal,
  );
  if (asked.type === 'part')
    reply.code(206).header('content-range', `bytes ${asked.range.start}-${asked.range.end}/${size}`);
  reply.header('content-length', content.bytes).header('x-storage-provider', content.store);
  if (content.data) return reply.send(content.data);
  // The headers are sent, so when the store fails now the connection is cut, which a client can tell from the end.
  content.stream.on('error', (error) => {
    // A client that disconnects, as players do when they seek, is no failure of ours.
    if (!signal.aborted)
      request.log.error({ err: error, itemId: item.id, store: content.store }, 'a delivery broke off');
  });
  return reply.send(sendableStream(content));
}

/** Streams a pending item from its original URL; none of it may be cached. */
async function sendOriginal(
  deps: DeliveryDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  item: DeliveredItem & { originalUrl: string },
  { download }: ContentOptions,
): Promise<FastifyReply> {
  const { stream, type } = await openOriginal(deps, item, abortSignal(request, reply));
  const { contentType, contentDisposition } = contentHeaders({ ...item, mimeType: type.mime }, download);
  reply.headers({
    'cache-control': 'no-store',
    'content-type': contentType,
    'content-disposition': contentDisposition,
    'x-storage-provider': 'original',
  });
  if (request.method !== 'HEAD') return reply.send(stream);
  stream.destroy();
  return reply.send();
}

/** Sends the whole file without its metadata; its length is unknown beforehand, and ranges are not supported. */
async function sendStripped(
  deps: DeliveryDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  item: DeliveredItem,
  { locations, generated }: { locations: readonly Location[]; generated: boolean },
): Promise<FastifyReply> {
  if (request.method === 'HEAD') return reply.header('x-storage-provider', locations[0]?.store).send();
  const signal = abortSignal(request, reply);
  const { stream, store } = await openStripped(deps, item, locations, { generated, signal });
  stream.on('error', (error) => {
    if (!signal.aborted) request.log.error({ err: error, itemId: item.id, store }, 'a stripped delivery broke off');
  });
  return reply.header('x-storage-provider', store).send(stream);
}

function asText(header: string | string[] | undefined): string | undefined {
  return header === undefined ? undefined : String(header);
}

function cacheControl({ access }: ContentOptions): string {
  // An item may be deleted or made private at any time, so even public copies are revalidated after an hour.
  if (access === 'public') return 'public, max-age=3600';
  if (access === 'private') return 'private, no-cache';
  return `private, max-age=${Math.max(0, Math.min(3600, access.signedUntil - Math.floor(Date.now() / 1000)))}`;
}
