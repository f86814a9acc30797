import type { FastifyReply, FastifyRequest } from 'fastify';
import { receiveWebhook } from '../domain/webhooks.ts';
import type { WebhookProvider } from '../sources/answers/webhooks.ts';
import type { RouteDeps } from './route-deps.ts';
import { proveSender } from './webhook-sender.ts';

/** The same for every path under which a webhook may come. */
export async function takeWebhook(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  provider: WebhookProvider,
  named: { jobId?: string } = {},
): Promise<FastifyReply> {
  const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const sender = await proveSender(deps.webhooks, provider, request, raw);
  const { userId, jobId } = request.query as { userId?: string; jobId?: string };
  const outcome = await receiveWebhook(deps, {
    provider,
    ...sender,
    raw,
    userId,
    jobId: named.jobId ?? jobId,
  });
  return reply
    .code(outcome.state === 'parked' ? 202 : 200)
    .send({ received: true, state: outcome.state, jobId: outcome.jobId, items: outcome.itemIds });
}
