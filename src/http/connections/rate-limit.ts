import fastifyRateLimit, { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../../errors.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Counts a request against its caller, or against its address while it has none.
     * @param look only check whether the address has reached its limit
     * @throws AppError rate_limited
     */
    countRequest(request: FastifyRequest, look?: 'look'): Promise<void>;
  }
}

const MINUTE_MS = 60_000;

/**
 * Counts the requests of this process: a caller's by its subject, and those without a caller by their address: anonymous ones,
 * refused tokens and secrets, unknown paths, documents. The two never share a key, so strangers at a caller's address do not use
 * up its limit.
 * @param max requests per minute for each key; 0: no limit
 */
export async function registerRateLimit(app: FastifyInstance, max: number): Promise<void> {
  if (max === 0) {
    app.decorate('countRequest', async () => {});
    return;
  }
  await app.register(fastifyRateLimit, { global: false, max, timeWindow: MINUTE_MS });
  const count = app.createRateLimit({ keyGenerator: keyOf });
  app.decorate('countRequest', async (request, look) => {
    if (request.routeOptions.config.rateLimit === false) return;
    const result = await count(request, { increment: look === undefined });
    if (result.isAllowed || !result.isExceeded) return;
    throw new AppError('rate_limited', `Too many requests: at most ${result.max} a minute.`, {
      retryAfter: result.ttlInSeconds,
    });
  });
}

function keyOf({ caller, ip }: FastifyRequest): string {
  return caller ? `subject ${caller.sub}` : `address ${normalizeIP(ip)}`;
}
