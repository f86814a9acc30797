import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { matchesEtag } from '../responses/conditions.ts';
import type { ApiDocument } from './document.ts';
import { PAGE_POLICY, referencePage } from './page.ts';

interface CachedPage {
  plain: Buffer;
  compressed: Buffer;
  etag: string;
}

/** The reference page, and the document that it is made from. */
export function docsRoutes(app: FastifyInstance): void {
  const open = { config: { access: 'open' as const }, schema: { hide: true } };
  let cached: CachedPage | undefined;
  const page = (): CachedPage => {
    cached ??= cachedPage(JSON.parse(app.openapiText('json').toString()) as ApiDocument);
    return cached;
  };
  const sendPage = async (request: FastifyRequest, reply: FastifyReply) => {
    const { plain, compressed, etag } = page();
    reply.headers({
      'cache-control': 'no-cache',
      'content-security-policy': PAGE_POLICY,
      vary: 'accept-encoding',
      etag: `W/${etag}`,
    });
    if (matchesEtag(request.headers['if-none-match'] ?? '', etag)) return reply.code(304).send();
    reply.type('text/html; charset=utf-8');
    if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(plain);
    return reply.header('content-encoding', 'gzip').send(compressed);
  };
  const sendJson = async (_request: FastifyRequest, reply: FastifyReply) =>
    reply.type('application/json; charset=utf-8').send(app.openapiText('json'));

  for (const url of ['/docs', '/docs/']) app.get(url, { ...open, handler: sendPage });
  for (const url of ['/openapi.json', '/docs/json']) app.get(url, { ...open, handler: sendJson });
  app.get('/docs/yaml', {
    ...open,
    handler: async (_request, reply) => reply.type('application/x-yaml').send(app.openapiText('yaml')),
  });
}

function cachedPage(document: ApiDocument): CachedPage {
  const plain = Buffer.from(referencePage(document));
  const etag = `"${createHash('sha256').update(plain).digest('base64url')}"`;
  return { plain, compressed: gzipSync(plain), etag };
}
