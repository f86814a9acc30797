import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { type SceneName, currentVersion, rollBack, sceneVersions, storeVersion } from '../../domain/scenes/scenes.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { callerOf } from '../auth/auth.ts';
import { basePathOf } from '../base-path.ts';
import { toIngestRequest } from '../requests/ingest-request.ts';
import { present, sendPage } from '../responses/present.ts';
import type { RouteDeps } from '../route-deps.ts';
import { ingestRoute } from './ingest-route.ts';
import { IDEMPOTENCY_KEY, problems, ref } from '../../shapes/common.ts';
import { BatchRequest, batchResponse } from '../schemas/delivery.ts';
import { IngestJson } from '../../shapes/ingest.ts';
import { itemResponse, pageResponse } from '../schemas/media.ts';
import { ProjectParams, RollBack, SceneParams, VersionsQuery } from '../schemas/scenes.ts';
import { batchOf, withItemsUnchecked } from './batches.ts';

const tags = ['Scenes'];

/** Named slots in a project, whose items are versions 1, 2, 3 …, one of them current. */
export function sceneRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const scene = '/v1/projects/:projectId/scenes/:sceneId';

  app.route({
    method: 'GET',
    url: scene,
    config: { access: 'media:read' },
    schema: {
      operationId: 'getScene',
      tags,
      summary: 'Read the current version of a scene',
      description: 'The item that is current: the newest version, or the one that was rolled back to.',
      params: SceneParams,
      response: { 200: itemResponse, ...problems },
    },
    handler: async (request) =>
      present(await currentVersion(deps, callerOf(request), request.params), deps.publicBaseUrl),
  });

  ingestRoute(instance, {
    url: scene,
    json: IngestJson,
    schema: {
      operationId: 'createSceneVersion',
      tags,
      summary: 'Store a new version of a scene',
      description:
        'Takes what `POST /v1/media` takes, and makes it the next version and the current one. The first who stores into a scene owns it.',
      params: SceneParams,
      headers: Type.Object({ 'idempotency-key': IDEMPOTENCY_KEY }),
      response: {
        201: { ...itemResponse, headers: { location: { description: 'Path of the record.', type: 'string' } } },
        ...problems,
      },
    },
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const parsed = await toIngestRequest(request, { signal: abortSignal(request, reply) });
      const { item, replayed } = await storeVersion(deps, parsed, request.params as SceneName);
      if (replayed) reply.header('idempotency-replayed', 'true');
      return reply
        .code(201)
        .header('location', `${basePathOf(deps.publicBaseUrl)}/v1/media/${item.id}`)
        .send(present(item, deps.publicBaseUrl));
    },
  });

  app.route({
    method: 'GET',
    url: `${scene}/versions`,
    config: { access: 'media:read' },
    schema: {
      operationId: 'listSceneVersions',
      tags,
      summary: 'List the versions of a scene',
      description: 'Newest first, page by page; deleted ones are left out.',
      params: SceneParams,
      querystring: VersionsQuery,
      response: { 200: pageResponse, ...problems },
    },
    handler: async (request, reply) => {
      const { limit, cursor } = request.query;
      const result = await sceneVersions(deps, callerOf(request), request.params, { limit, cursor });
      return sendPage(deps, reply, result);
    },
  });

  app.route({
    method: 'PUT',
    url: `${scene}/current`,
    config: { access: 'media:write', body: 'json' },
    schema: {
      operationId: 'setSceneVersion',
      tags,
      summary: 'Roll a scene back',
      description: 'Makes a version the current one; the next that is stored gets the next number all the same.',
      params: SceneParams,
      body: ref(RollBack),
      response: { 200: itemResponse, ...problems },
    },
    handler: async (request) =>
      present(await rollBack(deps, callerOf(request), request.params, request.body.version), deps.publicBaseUrl),
  });

  app.route({
    method: 'POST',
    url: '/v1/projects/:projectId/scenes',
    config: { access: 'media:write', body: 'json' },
    schema: {
      operationId: 'createSceneVersions',
      tags,
      summary: 'Store versions of several scenes',
      description: 'Up to 100 JSON ingests, each with its `sceneId`; each succeeds or fails on its own.',
      params: ProjectParams,
      headers: Type.Object({ 'idempotency-key': IDEMPOTENCY_KEY }),
      body: ref(BatchRequest),
      response: { 200: batchResponse, ...problems },
    },
    ...withItemsUnchecked(app),
    handler: async (request, reply) => {
      const { projectId } = request.params;
      return batchOf(deps, request, reply, { change: (item) => ({ ...item, projectId }), keepPending: true });
    },
  });
}
