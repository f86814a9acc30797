import type { FastifyInstance } from 'fastify';
import { AppError, isAppError } from '../../errors.ts';
import {
  WEBHOOK_PROVIDERS,
  type WebhookProvider,
  keySetAlgorithms,
  webhooksProvenBy,
} from '../../sources/providers/registry.ts';
import { compatWebhookRoutes } from '../compat/webhooks.ts';
import { checkBeforeBody } from '../webhooks/webhook-sender.ts';
import { takeWebhook } from '../webhooks/take-webhook.ts';
import type { RouteDeps } from '../route-deps.ts';
import { problems } from '../../shapes/common.ts';
import { WebhookParams, WebhookQuery, receiptResponse } from '../schemas/webhooks.ts';

const SIGNATURES = [
  `${webhooksProvenBy('signature', 'signature-or-url-secret')}: Standard Webhooks`,
  ...keySetAlgorithms(),
].join('; ');

/** Webhooks of providers, in a separate scope: bodies are not parsed before their signature was checked. */
export async function webhookRoutes(app: FastifyInstance, deps: RouteDeps): Promise<void> {
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (request) => {
      const provider = request.routeOptions.config.webhook ?? (request.params as { provider?: string }).provider;
      try {
        if (!WEBHOOK_PROVIDERS.some((name) => name === provider))
          throw new AppError('invalid_request', `'provider' must be one of: ${WEBHOOK_PROVIDERS.join(', ')}.`, {
            field: 'provider',
          });
        request.senderProven = checkBeforeBody(deps.webhooks, provider as WebhookProvider, request);
      } catch (error) {
        if (!isAppError(error, 'invalid_request'))
          deps.metrics.webhook(String(provider), isAppError(error) ? error.code : 'error');
        await app.countRequest(request);
        throw error;
      }
      // A signature is checked only with the body, so refuse an address that has reached its limit before.
      if (!request.senderProven) await app.countRequest(request, 'look');
    });
    scope.route({
      method: 'POST',
      url: '/v1/webhooks/:provider',
      config: { access: 'open', body: 'webhook' },
      schema: {
        operationId: 'receiveWebhook',
        tags: ['Webhooks'],
        security: [],
        summary: "Take a provider's webhook in",
        description: `The body as the provider sends it. Its sender is proven by a signature (${SIGNATURES}), or by the \`secret\` of the address where the provider cannot sign. The owner is the user that the body names, else the one of the registered job of this provider, else \`userId\`, which counts only beside a \`secret\`. A webhook without an owner, or that names another user than its job is registered to, is parked: see \`GET /v1/webhook-deliveries\`. A repetition is recognised and changes nothing. Downloads are not waited for.`,
        params: WebhookParams,
        querystring: WebhookQuery,
        response: { 200: receiptResponse, 202: receiptResponse, ...problems },
      },
      handler: (request, reply) =>
        takeWebhook(deps, request, reply, (request.params as { provider: WebhookProvider }).provider),
    });
    compatWebhookRoutes(scope, deps);
  });
}
