import type { FastifyInstance } from 'fastify';
import { type EventTiming, EventStreams } from '../../domain/events/event-streams.ts';
import { compatImageRoutes } from '../compat/images.ts';
import { compatRunRoutes } from '../compat/runs.ts';
import { docsRoutes } from '../docs/docs-routes.ts';
import type { RouteDeps } from '../route-deps.ts';
import { actionRoutes } from './actions.ts';
import { batchRoutes } from './batches.ts';
import { deliveryRoutes } from './delivery.ts';
import { eventRoutes } from './events.ts';
import { importRoutes } from './imports.ts';
import { jobRoutes } from './jobs.ts';
import { mediaRoutes } from './media.ts';
import { type OperationsOptions, operationsRoutes } from './operations.ts';
import { runRoutes } from './runs.ts';
import { sceneRoutes } from './scenes.ts';
import { searchRoutes } from './search.ts';
import { uploadRoutes } from './uploads.ts';
import { webhookDeliveryRoutes } from './webhook-deliveries.ts';
import { webhookRoutes } from './webhooks.ts';
import { workflowRoutes } from './workflow.ts';

/** Registers every route with its schemas. */
export async function registerRoutes(
  app: FastifyInstance,
  deps: RouteDeps,
  { events, servesDocs, ...operations }: OperationsOptions & { events: EventTiming; servesDocs: boolean },
): Promise<void> {
  await app.register(async (routes) => {
    for (const register of [
      mediaRoutes,
      runRoutes,
      sceneRoutes,
      actionRoutes,
      batchRoutes,
      searchRoutes,
      deliveryRoutes,
      importRoutes,
      jobRoutes,
      webhookDeliveryRoutes,
      compatImageRoutes,
      compatRunRoutes,
      workflowRoutes,
      uploadRoutes,
    ])
      register(routes, deps);
    await webhookRoutes(routes, deps);
    eventRoutes(routes, new EventStreams(deps, events));
    operationsRoutes(routes, deps, operations);
    if (servesDocs) docsRoutes(routes);
  });
}
