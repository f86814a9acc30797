import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { patchItem, purge, restore, softDelete } from '../../domain/changes/change-item.ts';
import { ingest } from '../../domain/ingest/ingest.ts';
import { readItem } from '../../domain/delivery/open-content.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { callerOf } from '../auth/auth.ts';
import { basePathOf } from '../base-path.ts';
import { toIngestRequest } from '../requests/ingest-request.ts';
import type { RevisedItem } from '../../db/items/items.ts';
import { present } from '../responses/present.ts';
import { expectedOf, recordTag } from '../responses/record-tag.ts';
import type { RouteDeps } from '../route-deps.ts';
import { ingestRoute } from './ingest-route.ts';
import { IDEMPOTENCY_KEY, problems, ref } from '../../shapes/common.ts';
import { empty } from '../schemas/delivery.ts';
import { IngestJson } from '../../shapes/ingest.ts';
import { IdParams, MediaPatch, itemResponse, itemDetailsResponse } from '../schemas/media.ts';

const tags = ['Media'];
const etagHeader = { etag: { description: 'Changes with every edit of the record; for If-Match.', type: 'string' } };
const revisedResponse = { ...itemResponse, headers: etagHeader };
const IfMatch = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      description: '`ETag` of the record as it was read; another one now answers 412.',
      examples: ['"42.3"'],
    }),
  ),
});
const CONTENT_DIGEST = Type.Optional(
  Type.String({ description: 'RFC 9530 digest of the body, `sha-256=:<base64>:`; verified.' }),
);

/** Records of media items: ingest, read, change, delete. */
export function mediaRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const out = (item: Parameters<typeof present>[0]) => present(item, deps.publicBaseUrl);
  const sendRevised = (reply: FastifyReply, revised: RevisedItem) => {
    reply.header('etag', recordTag(revised));
    return out(revised.item) as never;
  };

  ingestRoute(instance, {
    url: '/v1/media',
    json: IngestJson,
    schema: {
      operationId: 'createMedia',
      tags,
      summary: 'Store one item',
      description:
        'Takes a file as `multipart/form-data`, as a raw body with its fields in the query, or JSON with a `source`. Answers when the bytes are durable and the record is committed.',
      headers: Type.Object({ 'idempotency-key': IDEMPOTENCY_KEY, 'content-digest': CONTENT_DIGEST }),
      response: {
        201: { ...itemResponse, headers: { location: { description: 'Path of the record.', type: 'string' } } },
        ...problems,
      },
    },
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const ingestRequest = await toIngestRequest(request, { signal: abortSignal(request, reply) });
      const { item, replayed } = await ingest(deps, ingestRequest);
      if (replayed) reply.header('idempotency-replayed', 'true');
      return reply
        .code(201)
        .header('location', `${basePathOf(deps.publicBaseUrl)}/v1/media/${item.id}`)
        .send(out(item));
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/media/:id',
    config: { access: 'media:read' },
    schema: {
      operationId: 'getMedia',
      tags,
      summary: 'Read a record',
      description: 'The record of one item, with the locations of its bytes.',
      params: IdParams,
      response: { 200: { ...itemDetailsResponse, headers: etagHeader }, ...problems },
    },
    handler: async (request, reply) => {
      const { revision, ...item } = await readItem(deps, callerOf(request), request.params.id);
      reply.header('etag', recordTag({ item, revision }));
      return out(item) as never;
    },
  });

  app.route({
    method: 'PATCH',
    url: '/v1/media/:id',
    config: { access: 'media:write', body: 'json' },
    schema: {
      operationId: 'updateMedia',
      tags,
      summary: 'Change a record',
      description:
        'Changes tags, metadata, prompt, file name, visibility or expiry. Each given field replaces the old one; null clears it. With `If-Match` only the record that has that ETag, so that two editors do not overwrite each other (412).',
      params: IdParams,
      headers: IfMatch,
      body: ref(MediaPatch),
      response: { 200: revisedResponse, ...problems },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      return sendRevised(
        reply,
        await patchItem(deps, callerOf(request), id, { patch: request.body, expected: expectedOf(request) }),
      );
    },
  });

  app.route({
    method: 'DELETE',
    url: '/v1/media/:id',
    config: { access: 'media:write', body: 'none' },
    schema: {
      operationId: 'deleteMedia',
      tags,
      summary: 'Delete an item',
      description:
        'Hides the item until it is restored. With `purge=true` the record and every copy of the bytes that is ours go for good, at once.',
      params: IdParams,
      headers: IfMatch,
      querystring: Type.Object(
        { purge: Type.Boolean({ default: false, description: 'For good, at once.' }) },
        { additionalProperties: false },
      ),
      response: { 204: empty('Deleted.'), ...problems },
    },
    handler: async (request, reply) => {
      const remove = request.query.purge ? purge : softDelete;
      await remove(deps, callerOf(request), request.params.id, expectedOf(request));
      return reply.code(204).send();
    },
  });

  app.route({
    method: 'POST',
    url: '/v1/media/:id/restore',
    config: { access: 'media:write', body: 'none' },
    schema: {
      operationId: 'restoreMedia',
      tags,
      summary: 'Undo a deletion',
      description: 'Makes a deleted item visible again; one that is not deleted is answered as it is.',
      params: IdParams,
      headers: IfMatch,
      response: { 200: revisedResponse, ...problems },
    },
    handler: async (request, reply) =>
      sendRevised(reply, await restore(deps, callerOf(request), request.params.id, expectedOf(request))),
  });
}
