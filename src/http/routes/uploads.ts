import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { beginUpload, checkUploadToken, completeUpload, receiveUpload } from '../../domain/uploads/uploads.ts';
import { AppError } from '../../errors.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { callerOf } from '../auth/auth.ts';
import { basePathOf } from '../base-path.ts';
import { announcedBytes } from '../requests/read-body.ts';
import { present } from '../responses/present.ts';
import type { RouteDeps } from '../route-deps.ts';
import { problems, ref } from '../../shapes/common.ts';
import { binaryContent, empty } from '../schemas/delivery.ts';
import { itemResponse } from '../schemas/media.ts';
import { UploadParams, UploadRequest, uploadResponse } from '../schemas/uploads.ts';

const tags = ['Uploads'];

/** Direct uploads from a browser: begin, send, complete. */
export function uploadRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();

  app.route({
    method: 'POST',
    url: '/v1/uploads',
    config: { access: 'media:write', body: 'json' },
    schema: {
      operationId: 'createUpload',
      tags,
      summary: 'Begin a direct upload',
      description:
        'Answers where a browser may PUT the bytes without a token: at the store itself where that can presign, else at this service. Nothing is visible before the upload is completed.',
      body: ref(UploadRequest),
      response: { 201: uploadResponse, ...problems },
    },
    handler: async (request, reply) => {
      const { contentType, bytes, ...input } = request.body;
      reply.code(201).header('cache-control', 'no-store');
      return beginUpload(deps, { caller: callerOf(request), input, contentType, bytes });
    },
  });

  app.route({
    method: 'PUT',
    url: '/v1/uploads/:id/content',
    config: { access: 'open', body: 'file' },
    schema: {
      operationId: 'putUploadContent',
      tags,
      security: [],
      summary: 'Send the bytes of a direct upload',
      description: 'Takes what was announced, once; the `url` of the upload leads here and holds the token.',
      params: UploadParams,
      querystring: Type.Object(
        { token: Type.String({ maxLength: 2000, description: 'Signature of the upload.' }) },
        { additionalProperties: false },
      ),
      body: { content: binaryContent },
      response: { 204: empty('The bytes have arrived.'), ...problems },
    },
    // Before the body is read.
    onRequest: async (request) => {
      const { token } = request.query as { token?: unknown };
      checkUploadToken(deps, request.params.id, token);
      request.senderProven = true;
    },
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const { id } = request.params as { id: string };
      await receiveUpload(deps, id, {
        body: bodyOf(request),
        size: announcedBytes(request),
        signal: abortSignal(request, reply),
      });
      return reply.code(204).send();
    },
  });

  app.route({
    method: 'POST',
    url: '/v1/uploads/:id/complete',
    config: { access: 'media:write', body: 'none' },
    schema: {
      operationId: 'completeUpload',
      tags,
      summary: 'Complete a direct upload',
      description:
        'Reads the bytes, compares size, type and SHA-256 with what was announced, and makes the item. Repeated, it answers the same item with 200.',
      params: UploadParams,
      response: {
        200: itemResponse,
        201: { ...itemResponse, headers: { location: { description: 'Path of the record.', type: 'string' } } },
        ...problems,
      },
    },
    handler: async (request, reply) => {
      const signal = abortSignal(request, reply);
      const { item, created } = await completeUpload(deps, callerOf(request), request.params.id, signal);
      if (created) reply.code(201).header('location', `${basePathOf(deps.publicBaseUrl)}/v1/media/${item.id}`);
      return present(item, deps.publicBaseUrl);
    },
  });
}

function bodyOf(request: FastifyRequest): AsyncIterable<Uint8Array> {
  if (request.bodyForm === 'file') return request.body as AsyncIterable<Uint8Array>;
  throw new AppError('file_missing', 'The request has no body; send the bytes of the file.');
}
