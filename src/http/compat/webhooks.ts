import type { FastifyInstance } from 'fastify';
import { takeWebhook } from '../webhooks/take-webhook.ts';
import type { RouteDeps } from '../route-deps.ts';
import { problems } from '../../shapes/common.ts';
import { CompatJobParams } from '../schemas/compat.ts';
import { WebhookQuery, receiptResponse } from '../schemas/webhooks.ts';

const tags = ['Compatibility'];

/** The webhook URLs of older back ends. Register them where bodies are left unparsed. */
export function compatWebhookRoutes(scope: FastifyInstance, deps: RouteDeps): void {
  scope.route({
    method: 'POST',
    url: '/api/webhooks/runpod',
    config: { access: 'open', body: 'webhook', webhook: 'runpod' },
    schema: {
      operationId: 'compatRunpodWebhook',
      tags,
      security: [],
      summary: 'Take a RunPod webhook in',
      description: 'The same as `POST /v1/webhooks/runpod`; `network_volume_paths` become items without moving a byte.',
      querystring: WebhookQuery,
      response: { 200: receiptResponse, 202: receiptResponse, ...problems },
    },
    handler: (request, reply) => takeWebhook(deps, request, reply, 'runpod'),
  });
  scope.route({
    method: 'POST',
    url: '/api/webhooks/generation/:jobId',
    config: { access: 'open', body: 'webhook', webhook: 'generation' },
    schema: {
      operationId: 'compatGenerationWebhook',
      tags,
      security: [],
      summary: "Take a handler's webhook in",
      description:
        'The same as `POST /v1/webhooks/generation`, about the job in the path. A signature does not cover the path: a signed body must name the same job.',
      params: CompatJobParams,
      querystring: WebhookQuery,
      response: { 200: receiptResponse, 202: receiptResponse, ...problems },
    },
    handler: (request, reply) =>
      takeWebhook(deps, request, reply, 'generation', { jobId: (request.params as { jobId: string }).jobId }),
  });
}
