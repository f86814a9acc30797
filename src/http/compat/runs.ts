import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { describeRun, firstOfRun } from '../../domain/compat/compat.ts';
import { mediaOfRun } from '../../domain/delivery/named-item.ts';
import { callerOf } from '../auth/auth.ts';
import { deliverItem, readerOf } from '../responses/deliver-item.ts';
import type { RouteDeps } from '../route-deps.ts';
import { problems } from '../../shapes/common.ts';
import { CompatRunParams, NthQuery, OwnerQuery, compatRunResponse, compatRunInfoResponse } from '../schemas/compat.ts';
import { contentResponses } from '../schemas/delivery.ts';
import { presentImage } from './images.ts';

const tags = ['Compatibility'];
const security: Record<string, string[]>[] = [{ bearer: [] }, {}];

/** The media routes of runs as in older back ends, for existing `<img>` and `<audio>` elements. */
export function compatRunRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();

  for (const mediaType of ['image', 'audio', 'video'] as const)
    app.route({
      method: 'GET',
      url: `/api/media/${mediaType}/:runId`,
      config: { access: 'optional' },
      schema: {
        operationId: `compatGetRun${mediaType[0]?.toUpperCase()}${mediaType.slice(1)}`,
        tags,
        security,
        summary: `Deliver the ${mediaType} of a run`,
        description: 'The first one of that kind, or the `n`-th. A public one needs no token.',
        params: CompatRunParams,
        querystring: NthQuery,
        response: { ...contentResponses, ...problems },
      },
      handler: async (request, reply) => {
        const { runId } = request.params;
        const item = await mediaOfRun(deps, readerOf(request), {
          runId,
          mediaType,
          n: request.query.n,
          userId: request.query.userId,
        });
        return deliverItem(deps, request, reply, item);
      },
    });

  app.route({
    method: 'GET',
    url: '/api/media/info/:runId',
    config: { access: 'media:read' },
    schema: {
      operationId: 'compatGetRunInfo',
      tags,
      summary: 'Describe the first output of a run',
      description: 'The record of the item, without its bytes.',
      params: CompatRunParams,
      querystring: OwnerQuery,
      response: { 200: compatRunInfoResponse, ...problems },
    },
    handler: async (request) => {
      const { runId } = request.params;
      const { item, count } = await firstOfRun(deps, callerOf(request), { runId, ...request.query });
      return { ...presentImage(deps, item), run_id: runId, type: item.mediaType, count };
    },
  });

  app.route({
    method: 'GET',
    url: '/api/media/run/:runId',
    config: { access: 'media:read' },
    schema: {
      operationId: 'compatGetRun',
      tags,
      summary: 'Describe a run',
      description:
        'What metadata.json tells, and the items: 4 MiB of each at most, the larger ones abridged; `moreItems` says that there are others.',
      params: CompatRunParams,
      querystring: OwnerQuery,
      response: { 200: compatRunResponse, ...problems },
    },
    handler: async (request) => {
      const { metadata, items, moreItems } = await describeRun(deps, callerOf(request), {
        ...request.params,
        ...request.query,
      });
      return { ...metadata, items: items.map((item) => presentImage(deps, item)), moreItems };
    },
  });
}
