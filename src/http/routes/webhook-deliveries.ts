import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { parkedWebhooks, releaseWebhook } from '../../domain/webhooks/parked-webhooks.ts';
import type { RouteDeps } from '../route-deps.ts';
import { problems, ref } from '../../shapes/common.ts';
import { DeliveryParams, ParkedQuery, ReleaseRequest, parkedResponse } from '../schemas/webhook-deliveries.ts';
import { receiptResponse } from '../schemas/webhooks.ts';

const tags = ['Webhooks'];

/** Parked webhooks: listed and released by admins only, so that no user can hold back another's webhooks. */
export function webhookDeliveryRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();

  app.route({
    method: 'GET',
    url: '/v1/webhook-deliveries',
    config: { access: 'media:admin' },
    schema: {
      operationId: 'listParkedWebhooks',
      tags,
      summary: 'List parked webhooks',
      description:
        'Webhooks that were kept because their owner is not known, or is another user than the one to whom the job is registered. Newest first, page by page.',
      querystring: ParkedQuery,
      response: { 200: parkedResponse, ...problems },
    },
    handler: async (request) => {
      const { state: _parked, ...filter } = request.query;
      return parkedWebhooks(deps, filter);
    },
  });

  app.route({
    method: 'POST',
    url: '/v1/webhook-deliveries/:id/release',
    config: { access: 'media:admin', body: 'json' },
    schema: {
      operationId: 'releaseParkedWebhook',
      tags,
      summary: 'Release a parked webhook',
      description:
        "Carries a parked webhook out for a user. The job becomes this user's: if another user has registered it, their fields and outputs do not touch the new owner's items. Other parked webhooks of the job that name this user, or nobody, are carried out as well. Downloads are not waited for.",
      params: DeliveryParams,
      body: ref(ReleaseRequest),
      response: { 200: receiptResponse, ...problems },
    },
    handler: async (request) => {
      const { jobId, itemIds, ignored } = await releaseWebhook(deps, request.params.id, request.body.userId);
      return { received: true as const, state: 'accepted' as const, jobId, items: itemIds, ignored: [...ignored] };
    },
  });
}
