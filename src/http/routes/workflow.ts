import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { readWorkflow } from '../../domain/delivery/workflow.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { callerOf } from '../auth/auth.ts';
import type { RouteDeps } from '../route-deps.ts';
import { problems } from '../../shapes/common.ts';
import { workflowResponse } from '../schemas/delivery.ts';
import { IdParams } from '../schemas/media.ts';

/** Returns an item's ComfyUI workflow. */
export function workflowRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.route({
    method: 'GET',
    url: '/v1/media/:id/workflow',
    config: { access: 'media:read' },
    schema: {
      operationId: 'getMediaWorkflow',
      tags: ['Delivery'],
      summary: 'Read the ComfyUI workflow',
      description:
        'The workflow that the file of an item holds, as a JSON file to load into ComfyUI: what its editor keeps if that is there, else the graph that was run. 404 `not_found` when there is none.',
      params: IdParams,
      response: { 200: workflowResponse, ...problems },
    },
    handler: async (request, reply) => {
      const { itemId, format, json } = await readWorkflow(
        deps,
        callerOf(request),
        request.params.id,
        abortSignal(request, reply),
      );
      reply.headers({
        'content-type': 'application/json; charset=utf-8',
        'content-disposition': `attachment; filename="${itemId}.workflow.json"`,
        'cache-control': 'private, no-cache',
        'x-workflow-format': format,
      });
      // Sent verbatim: parsing and serialising it would change a seed of 20 digits.
      return reply.send(Buffer.from(json));
    },
  });
}
