import type { FastifyInstance } from 'fastify';
import { WaitBudget, withBudget } from '../../domain/database-wait.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined for a request that was refused before the hooks ran. */
    databaseWait: WaitBudget | undefined;
  }
}

/**
 * Limits how long a request waits for the database in all, until its answer begins: a body or an event stream may then flow for as
 * long as it takes.
 */
export function limitDatabaseWaits(app: FastifyInstance): void {
  app.decorateRequest('databaseWait');
  app.addHook('onRequest', (request, _reply, done) => {
    request.databaseWait = new WaitBudget();
    withBudget(request.databaseWait, done);
  });
  // A parser of bodies calls back from the connection's context.
  app.addHook('preHandler', (request, _reply, done) => withBudget(request.databaseWait, done));
  app.addHook('onSend', (request, _reply, _payload, done) => {
    request.databaseWait?.lift();
    done();
  });
}
