import fastifyUnderPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../../errors.ts';

/** Sampling interval of the event loop, in milliseconds. */
const SAMPLE_MS = 1000;
/** Time after the start in which lag is excused. */
const START_MS = 30_000;

/**
 * Answers requests with 503 while the event loop lags by more than `maxLagMs`; 0: never. Lag during the start (modules are loaded
 * and compiled at first use) is not load, so measuring begins with the first calm interval after listening.
 */
export async function registerPressure(
  app: FastifyInstance,
  maxLagMs: number,
  { sampleMs = SAMPLE_MS, startMs = START_MS }: { sampleMs?: number; startMs?: number } = {},
): Promise<void> {
  let starting = true;
  await app.register(fastifyUnderPressure, {
    maxEventLoopDelay: maxLagMs,
    sampleInterval: sampleMs,
    exposeStatusRoute: false,
    pressureHandler: async () => {
      if (!starting)
        throw new AppError('overloaded', 'The service is overloaded; try again shortly.', { retryAfter: 5 });
    },
  });
  let look: NodeJS.Timeout | undefined;
  app.addHook('onListen', async () => {
    const since = performance.now();
    // Two intervals, so that a whole one lies after the moment of listening.
    let calm = -1;
    look = setInterval(() => {
      calm = app.isUnderPressure() ? 0 : calm + 1;
      if (calm < 1 && performance.now() - since < startMs) return;
      starting = false;
      clearInterval(look);
    }, sampleMs).unref();
  });
  app.addHook('onClose', async () => clearInterval(look));
}
