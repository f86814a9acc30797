import type { FastifyReply, FastifyRequest } from 'fastify';
import { receiveWebhook } from '../../domain/webhooks/receive-webhook.ts';
import type { WebhookProvider } from '../../sources/providers/registry.ts';
import { isAppError } from '../../errors.ts';
import type { SearchDeps } from '../../domain/search/search.ts';
import { type WebhookTrust, proveSender } from './webhook-sender.ts';

/** Handles a webhook, whatever its path. */
export async function takeWebhook(
  deps: SearchDeps & { webhooks: WebhookTrust },
  request: FastifyRequest,
  reply: FastifyReply,
  provider: WebhookProvider,
  named: { jobId?: string } = {},
): Promise<FastifyReply> {
  const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const { userId, jobId } = request.query as { userId?: string; jobId?: string };
  try {
    const { provesAddress, ...sender } = await proveSender(deps.webhooks, provider, request, raw);
    const address = { proven: provesAddress, pathJobId: named.jobId, jobId, userId };
    const outcome = await receiveWebhook(deps, { provider, ...sender, raw, address });
    deps.metrics.webhook(provider, outcome.state);
    return reply.code(outcome.state === 'parked' ? 202 : 200).send({
      received: true,
      state: outcome.state,
      jobId: outcome.jobId,
      items: outcome.itemIds,
      ignored: outcome.ignored,
    });
  } catch (error) {
    deps.metrics.webhook(provider, isAppError(error) ? error.code : 'error');
    if (isAppError(error, 'webhook_refused')) await request.server.countRequest(request);
    throw error;
  }
}
