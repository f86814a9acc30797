import type { IncomingMessage, Server } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

const waiting = new WeakSet<IncomingMessage>();

/**
 * Leaves a sender that waits for `100 Continue` waiting until its body is wanted: one that is refused by its head (no token, the
 * wrong type, too long) then sends nothing.
 */
export function continueOnDemand(server: Server): void {
  server.on('checkContinue', (request, response) => {
    waiting.add(request);
    server.emit('request', request, response);
  });
}

/** Tells the sender to go on, if it waits for that. */
export function sendContinue({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (waiting.delete(raw)) reply.raw.writeContinue();
}

/** Whether the sender still waits to be told, so that nothing of its body is on its way. */
export function waitsForContinue(request: IncomingMessage): boolean {
  return waiting.has(request);
}
