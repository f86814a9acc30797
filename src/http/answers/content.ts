import type { FastifyReply, FastifyRequest } from 'fastify';
import type { DeliveredItem } from '../../db/items/delivery-row.ts';
import type { Location } from '../../db/objects/locations.ts';
import { type ReadAccess, chooseContent, redirectUrl } from '../../domain/delivery/choose-content.ts';
import { type ReadItem, openCachedContent } from '../../domain/delivery/open-content.ts';
import { openOriginal } from '../../domain/delivery/open-original.ts';
import { openStripped } from '../../domain/delivery/open-stripped.ts';
import { AppError } from '../../errors.ts';
import type { DeliveryDeps } from '../../domain/delivery/delivery-deps.ts';
import { contentHeaders } from '../../domain/delivery/content-headers.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { sendableStream } from './sendable-stream.ts';
import { allowsRange, matchesEtag, parseRange } from './range.ts';

export interface ContentOptions {
  download: boolean;
  /** The bytes are to come from here, although their store could give them itself. */
  proxy: boolean;
  /** Without what the file says beside its picture. */
  strip: boolean;
  access: ReadAccess;
}

/** Scripts never run, nothing is loaded, and the type is what we say: an SVG opened on its own is a picture and no page. */
const CONTENT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'";

/** Answers the bytes of an item: whole, a part, not modified, or a redirect to where they lie. @throws AppError */
export async function sendContent(
  deps: DeliveryDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  item: ReadItem,
  options: ContentOptions,
): Promise<FastifyReply> {
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
  const etag = options.strip ? `"${chosen.tag}-stripped"` : `"${chosen.tag}"`;
  reply.headers({ etag, 'accept-ranges': options.strip ? 'none' : 'bytes' });
  // "A recipient MUST ignore If-Modified-Since if the request contains an If-None-Match"; content never changes, so tags suffice.
  if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send();
  if (options.strip) {
    reply.headers({ 'content-type': contentType, 'content-disposition': contentDisposition });
    return sendStripped(deps, request, reply, item, locations);
  }
  if (!options.proxy && request.method === 'GET') {
    const headers = { contentType, contentDisposition, cacheControl: cache };
    const direct = await redirectUrl(deps, locations, headers, options);
    if (direct) {
      // A redirect may be used for a shorter time than the URL that it leads to.
      reply.header('cache-control', options.access === 'public' ? 'public, max-age=30' : 'private, no-cache');
      return reply.header('x-storage-provider', direct.store).redirect(direct.url, 302);
    }
  }
  reply.headers({ 'content-type': contentType, 'content-disposition': contentDisposition });
  const asked =
    allowsRange(asText(request.headers['if-range']), etag) && request.method === 'GET'
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
  // Too late for another answer when the store breaks off now: the connection is cut, which a client can tell from an end.
  content.stream.on('error', (error) => {
    // A client that goes away, as every player that seeks does, is no failure of ours.
    if (!signal.aborted)
      request.log.error({ err: error, itemId: item.id, store: content.store }, 'a delivery broke off');
  });
  return reply.send(sendableStream(content));
}

/** A pending item is read from where it came; nothing of that may be cached. */
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

/** Answers the whole file without its metadata; its length is not known beforehand, and there are no parts of it. */
async function sendStripped(
  deps: DeliveryDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  item: DeliveredItem,
  locations: readonly Location[],
): Promise<FastifyReply> {
  if (request.method === 'HEAD') return reply.header('x-storage-provider', locations[0]?.store).send();
  const signal = abortSignal(request, reply);
  const { stream, store } = await openStripped(deps, item, locations, signal);
  stream.on('error', (error) => {
    if (!signal.aborted) request.log.error({ err: error, itemId: item.id, store }, 'a stripped delivery broke off');
  });
  return reply.header('x-storage-provider', store).send(stream);
}

function asText(header: string | string[] | undefined): string | undefined {
  return header === undefined ? undefined : String(header);
}

function cacheControl({ access }: ContentOptions): string {
  // An item may be deleted or made private at any time, so even public copies are asked about again after an hour.
  if (access === 'public') return 'public, max-age=3600';
  if (access === 'private') return 'private, no-cache';
  return `private, max-age=${Math.max(0, Math.min(3600, access.signedUntil - Math.floor(Date.now() / 1000)))}`;
}
