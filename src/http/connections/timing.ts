import { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { EVENT_TIMING, type EventTiming } from '../../domain/events/event-streams.ts';
import { BODY_RATE, type BodyRate } from './minimum-rate.ts';

/** Time limits of connections, in milliseconds. */
export interface Timing {
  /** Without a byte in either direction. */
  idleMs: number;
  /** For the whole head of a request. */
  headersMs: number;
  /** Interval of the check for connections over their limits. */
  checkMs: number;
  bodyRate: BodyRate;
  /** Event loop lag beyond which requests get 503. */
  maxLagMs: number;
  events: EventTiming;
}

/**
 * Lifts the idle limit while a response is prepared: no bytes move while a URL is fetched or a large object is read. The sender
 * of a body is held to its minimum rate, a fetch to its deadline.
 */
export function registerPatience(app: FastifyInstance, idleMs: number): void {
  app.addHook('preHandler', async (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') patience(request, 0);
  });
  app.addHook('onSend', async (request) => {
    patience(request, idleMs);
  });
}

function patience(request: FastifyRequest, ms: number): void {
  const { socket } = request.raw;
  // Injected requests have no socket of the net module.
  if (socket instanceof Socket) socket.setTimeout(ms);
}

export const TIMING: Timing = {
  idleMs: 120_000,
  headersMs: 20_000,
  checkMs: 5000,
  bodyRate: BODY_RATE,
  maxLagMs: 5000,
  events: EVENT_TIMING,
};
