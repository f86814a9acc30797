import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { itemForReading } from '../../domain/delivery/open-content.ts';
import { readGrant, signUrl, signUrls } from '../../domain/delivery/signed-urls.ts';
import { checkKey } from '../../storage/keys.ts';
import { callerOf } from '../auth/auth.ts';
import { sendContent } from '../responses/content.ts';
import { deliverItem, readerOf } from '../responses/deliver-item.ts';
import { failedPart } from '../errors/error-handler.ts';
import type { RouteDeps } from '../route-deps.ts';
import { problems, ref } from '../../shapes/common.ts';
import {
  ContentQuery,
  SignedUrlRequest,
  SignedUrlsRequest,
  strip,
  contentResponses,
  headResponses,
  signedUrlResponse,
  signedUrlsResponse,
} from '../schemas/delivery.ts';
import { IdParams } from '../schemas/media.ts';

const tags = ['Delivery'];
/** Signed URLs and public items need no token, so these routes do not require one. */
const security: Record<string, string[]>[] = [{ bearer: [] }, {}];

const fileNameParam = {
  filename: Type.String({ maxLength: 1000, description: 'Name of the file.', examples: ['fox.png'] }),
};

/** Delivers bytes by id, permanent URL and signed URL; and creates signed URLs. */
export function deliveryRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();

  const deliver = async (request: FastifyRequest, reply: FastifyReply, where: { id: string } | { key: string }) =>
    deliverItem(deps, request, reply, await itemForReading(deps, readerOf(request), where));
  const deliverSigned = async (request: FastifyRequest, reply: FastifyReply, token: string) => {
    const grant = readGrant(deps, token);
    const item = await itemForReading(deps, { type: 'signature' }, { id: grant.itemId });
    return sendContent(deps, request, reply, item, {
      download: grant.download,
      proxy: false,
      strip: (request.query as { strip?: string }).strip !== undefined,
      access: { signedUntil: grant.expires },
    });
  };

  const methods = [
    { method: 'GET', verb: 'get', answers: contentResponses, summary: 'Deliver' },
    { method: 'HEAD', verb: 'head', answers: headResponses, summary: 'Describe' },
  ] as const;
  for (const { method, verb, answers, summary } of methods) {
    app.route({
      method,
      exposeHeadRoute: false,
      url: '/v1/media/:id/content',
      config: { access: 'optional' },
      schema: {
        operationId: `${verb}MediaContent`,
        tags,
        security,
        summary: `${summary} the bytes of an item`,
        description: 'The bytes; a single Range, If-None-Match and If-Range are honoured. Public items need no token.',
        params: IdParams,
        querystring: ContentQuery,
        response: { ...answers, ...problems },
      },
      handler: (request, reply) => deliver(request, reply, { id: request.params.id }),
    });
    app.route({
      method,
      exposeHeadRoute: false,
      url: '/uploads/*',
      config: { access: 'optional' },
      schema: {
        operationId: `${verb}Upload`,
        tags,
        security,
        summary: `${summary} the bytes at a permanent address`,
        description: 'The same as the content of the item whose bytes lie under that key of the local store.',
        params: Type.Object({
          '*': Type.String({ description: 'Key of the object.', examples: ['outputs/user-1/fox-0f2c.png'] }),
        }),
        querystring: ContentQuery,
        response: { ...answers, ...problems },
      },
      handler: (request, reply) => {
        const key = request.params['*'];
        checkKey(key);
        return deliver(request, reply, { key });
      },
    });
    for (const { url, name } of [
      { url: '/v1/signed/:token', name: undefined },
      { url: '/v1/signed/:token/:filename', name: fileNameParam },
    ])
      app.route({
        method,
        exposeHeadRoute: false,
        url,
        config: { access: 'open' },
        schema: {
          operationId: `${verb}Signed${name ? 'File' : ''}`,
          tags,
          security: [],
          summary: `${summary} the bytes that a signed URL names`,
          description: `Needs no token until the URL expires.${name ? ' The name says under what the file is saved; any is accepted.' : ''}`,
          params: Type.Object({
            token: Type.String({ maxLength: 2000, description: 'What was signed, and the signature.' }),
            ...name,
          }),
          querystring: Type.Object({ strip }),
          response: { ...answers, ...problems },
        },
        handler: (request, reply) => deliverSigned(request, reply, request.params.token),
      });
  }

  app.route({
    method: 'POST',
    url: '/v1/media/:id/url',
    config: { access: 'media:read', body: 'optional-json' },
    schema: {
      operationId: 'createSignedUrl',
      tags,
      summary: 'Sign a URL',
      description: 'An address at which a browser gets the bytes without a token, until it expires.',
      params: IdParams,
      body: ref(SignedUrlRequest),
      response: { 200: signedUrlResponse, ...problems },
    },
    handler: async (request) => signUrl(deps, callerOf(request), request.params.id, request.body),
  });

  app.route({
    method: 'POST',
    url: '/v1/signed-urls',
    config: { access: 'media:read', body: 'json' },
    schema: {
      operationId: 'createSignedUrls',
      tags,
      summary: 'Sign several URLs',
      description: 'Up to 200 at once; the results keep the order of the ids.',
      body: ref(SignedUrlsRequest),
      response: { 200: signedUrlsResponse, ...problems },
    },
    handler: async (request) => {
      const { ids, ...options } = request.body;
      const results = await signUrls(deps, callerOf(request), ids, options);
      return {
        results: results.map((result) =>
          'error' in result ? { id: result.id, ...failedPart(result.error, request) } : { status: 200, ...result },
        ),
      };
    },
  });
}
