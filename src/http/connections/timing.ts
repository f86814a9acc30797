import { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { EVENT_TIMING, type EventTiming } from '../../domain/events/event-streams.ts';
import { BODY_RATE, type BodyRate } from './minimum-rate.ts';

/** How long a connection may keep the service waiting, in milliseconds. */
export interface Timing {
  /** Without a byte in either direction. */
  idleMs: number;
  /** For the whole head of a request. */
  headersMs: number;
  /** Between two looks for connections that are over their time. */
  checkMs: number;
  bodyRate: BodyRate;
  /** Lag of the event loop beyond which requests are answered 503. */
  maxLagMs: number;
  events: EventTiming;
}

/**
 * Lets an answer take its time: the idle limit counts bytes, and none move while a URL is fetched or a large object is read.
 * What sends the body is held to its rate, what is fetched to its deadline.
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
