import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyInstance {
    /** Resolves when no handler is running. A cut connection ends its request, but the handler still has to clean up. */
    handlersEnded(): Promise<void>;
  }
}

/** Counts the running handlers of all routes that are registered afterwards. */
export function trackHandlers(app: FastifyInstance): void {
  const running = new Set<Promise<unknown>>();
  app.addHook('onRoute', (route) => {
    const { handler } = route;
    route.handler = function tracked(request, reply) {
      const result: unknown = handler.call(this, request, reply);
      if (result instanceof Promise) {
        running.add(result);
        const ended = () => running.delete(result);
        result.then(ended, ended);
      }
      return result;
    };
  });
  app.decorate('handlersEnded', async () => {
    while (running.size > 0) await Promise.allSettled(running);
  });
}
