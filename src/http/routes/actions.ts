import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { actionOf } from '../../domain/actions/action.ts';
import { actOnMany } from '../../domain/actions/act-on-many.ts';
import { readTask } from '../../domain/actions/action-tasks.ts';
import { parseMetadataFilter } from '../../domain/search/metadata-filter.ts';
import { AppError } from '../../errors.ts';
import { problems, ref } from '../../shapes/common.ts';
import { createFieldCheck } from '../../shapes/validator.ts';
import { callerOf } from '../auth/auth.ts';
import { basePathOf } from '../base-path.ts';
import { failedPart } from '../errors/error-handler.ts';
import type { RouteDeps } from '../route-deps.ts';
import { filterOf } from '../requests/search-filter.ts';
import {
  ActionFilter,
  ActionsRequest,
  TaskParams,
  actionsResponse,
  taskAccepted,
  taskResponse,
} from '../schemas/actions.ts';

const tags = ['Media'];
const checkFilter = createFieldCheck<ActionFilter>(ActionFilter);

/** One action on many items, and the tasks that carry out large ones. */
export function actionRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();

  app.route({
    method: 'POST',
    url: '/v1/actions',
    config: { access: 'media:write', body: 'json' },
    schema: {
      operationId: 'actOnMany',
      tags,
      summary: 'Act on many items',
      description:
        'Deletes, restores, purges, tags, untags or shows many items, named by `ids` or by the `filter` of a search. An item that fails leaves the others alone. More than 1,000 matches are left to a worker: 202, with a task.',
      body: ref(ActionsRequest),
      response: { 200: actionsResponse, 202: taskAccepted, ...problems },
    },
    handler: async (request, reply) => {
      const { action, ids, filter, value, dryRun = false } = request.body;
      if ((ids === undefined) === (filter === undefined))
        throw new AppError('invalid_request', "Say which items: either 'ids' or 'filter'.", { field: 'ids' });
      const caller = callerOf(request);
      const outcome = await actOnMany(deps, {
        caller,
        action: actionOf(action, value),
        which: ids ? { ids } : { filter: wantedBy(filter ?? {}) },
        dryRun,
      });
      if ('taskId' in outcome) {
        const task = await readTask(deps, caller, outcome.taskId);
        return reply
          .code(202)
          .header('location', `${basePathOf(deps.publicBaseUrl)}/v1/tasks/${task.id}`)
          .send({ task });
      }
      const failed = outcome.failed.map(({ id, error }) => ({ id, problem: failedPart(error, request).problem }));
      return { ...outcome, failed };
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/tasks/:id',
    config: { access: 'media:read' },
    schema: {
      operationId: 'getTask',
      tags,
      summary: 'Read a task',
      description: 'How far the work on many items is. Kept for a week after its end.',
      params: TaskParams,
      response: { 200: taskResponse, ...problems },
    },
    handler: async (request) => readTask(deps, callerOf(request), request.params.id),
  });
}

/** The conditions that a filter holds. @throws AppError invalid_request, invalid_metadata */
function wantedBy(given: Record<string, unknown>) {
  const { metadata, ...conditions } = checkFilter(given);
  const text = metadata === undefined || typeof metadata === 'string' ? metadata : JSON.stringify(metadata);
  return filterOf({ ...conditions, metadata: text === undefined ? undefined : parseMetadataFilter(text) });
}
