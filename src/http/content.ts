import { create as contentDisposition } from 'content-disposition';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { MediaItem } from '../db/media-item.ts';
import type { Deps } from '../domain/deps.ts';
import { contentLocations, openContent } from '../domain/read.ts';
import { AppError, isAppError } from '../errors.ts';
import { mediaTypeByExtension, mediaTypeByMime } from '../media/media-type.ts';
import { cutBytes } from '../storage/keys.ts';
import { abortSignal } from './abort-signal.ts';
import { allowsRange, matchesEtag, parseRange } from './range.ts';

export interface ContentOptions {
  download: boolean;
  /** How the reader came by it; decides what caches may do. */
  access: 'public' | 'private' | { signedUntil: number };
  externalHosts: readonly string[];
}

/** Scripts never run, nothing is loaded, and the type is what we say: an SVG opened on its own is a picture and no page. */
const CONTENT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'";

/** Answers the bytes of an item: whole, a part, not modified, or a redirect to where they lie. @throws AppError */
export async function sendContent(
  deps: Deps,
  request: FastifyRequest,
  reply: FastifyReply,
  item: MediaItem,
  options: ContentOptions,
): Promise<FastifyReply> {
  const type = mediaTypeByMime(item.mimeType ?? '');
  const disposition = options.download || type?.inline !== true ? 'attachment' : 'inline';
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
  let locations;
  try {
    locations = await contentLocations(deps, item);
  } catch (error) {
    const redirect = isAppError(error, 'not_stored') ? externalRedirect(item, options.externalHosts) : undefined;
    if (redirect === undefined) throw error;
    return reply.redirect(redirect, 302);
  }
  const size = locations[0]?.bytes ?? 0;
  const etag = `"${item.sha256 ?? locations[0]?.sha256 ?? `${item.id}-${size}`}"`;
  reply.headers({ etag, 'accept-ranges': 'bytes' });
  // "A recipient MUST ignore If-Modified-Since if the request contains an If-None-Match"; content never changes, so tags suffice.
  if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send();
  reply.headers({
    // A type that is not ours (an older system's row may hold any text) is not repeated to a browser.
    'content-type': type?.mime ?? 'application/octet-stream',
    'content-disposition': contentDisposition(fileName(item, type?.ext), { type: disposition }),
  });
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
  const content = await openContent(deps, item, locations, asked.type === 'part' ? asked.range : undefined, signal);
  if (asked.type === 'part')
    reply.code(206).header('content-range', `bytes ${asked.range.start}-${asked.range.end}/${size}`);
  // Too late for another answer when the store breaks off now: the connection is cut, which a client can tell from an end.
  content.stream.on('error', (error) => {
    // A client that goes away, as every player that seeks does, is no failure of ours.
    if (!signal.aborted)
      request.log.error({ err: error, itemId: item.id, store: content.store }, 'a delivery broke off');
  });
  return reply.header('content-length', content.bytes).header('x-storage-provider', content.store).send(content.stream);
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

function fileName(item: MediaItem, ext: string | undefined): string {
  const named = item.filename ?? item.storageKey?.split('/').at(-1) ?? `media-${item.id}`;
  // Characters that reorder text or end a header make a name lie about its extension.
  const clean = (named.split(/[/\\]/).at(-1) ?? '').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim();
  const base = cutBytes(clean, 200) || `media-${item.id}`;
  const told = mediaTypeByExtension(base.split('.').at(-1) ?? '');
  return ext === undefined || told?.ext === ext ? base : `${base.replace(/\.[A-Za-z0-9]{1,5}$/, '')}.${ext}`;
}

/** Where an item that was only recorded may be fetched, if that is allowed. */
export function externalRedirect(item: MediaItem, hosts: readonly string[]): string | undefined {
  if (item.status !== 'success' || !URL.canParse(item.storageUrl)) return undefined;
  const url = new URL(item.storageUrl);
  return url.protocol === 'https:' && hosts.includes(url.host.toLowerCase()) ? url.href : undefined;
}
