import type { IncomingMessage, Server } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

const waiting = new WeakSet<IncomingMessage>();

/**
 * Delays `100 Continue` until the body is wanted: a request refused by its head (no token, wrong type, too long) then sends no
 * body.
 */
export function continueOnDemand(server: Server): void {
  server.on('checkContinue', (request, response) => {
    waiting.add(request);
    server.emit('request', request, response);
  });
}

/** Sends `100 Continue` if the sender waits for it. */
export function sendContinue({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (waiting.delete(raw)) reply.raw.writeContinue();
}

/** Whether the sender still waits for `100 Continue`, so that nothing of its body is on its way. */
export function waitsForContinue(request: IncomingMessage): boolean {
  return waiting.has(request);
}
