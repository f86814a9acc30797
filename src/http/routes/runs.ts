import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { create as contentDisposition } from 'content-disposition';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Run } from '../../db/runs/runs.ts';
import { exportRun } from '../../domain/runs/export-run.ts';
import { runsOf } from '../../domain/runs/list-runs.ts';
import { addRunMedia, completeRun, createRun, readRun } from '../../domain/runs/runs.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { callerOf } from '../auth/auth.ts';
import { basePathOf } from '../base-path.ts';
import { idempotencyKey } from '../requests/ingest-request.ts';
import { present } from '../responses/present.ts';
import type { RouteDeps } from '../route-deps.ts';
import { ingestRoute } from './ingest-route.ts';
import { toRunMediaRequest } from '../requests/run-media-request.ts';
import { IDEMPOTENCY_KEY, problems, ref } from '../../shapes/common.ts';
import {
  RunCompletion,
  RunMediaJson,
  RunParams,
  RunRequest,
  RunsQuery,
  runResponse,
  runDetailsResponse,
  runPageResponse,
  runMediaResponse,
  zipResponse,
} from '../schemas/runs.ts';

const tags = ['Runs'];

/** Pipeline runs: an input text, a transformed text and all outputs, stored together in one folder. */
export function runRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const one = '/v1/runs/:runId';

  app.route({
    method: 'POST',
    url: '/v1/runs',
    config: { access: 'media:write', body: 'json' },
    schema: {
      operationId: 'createRun',
      tags,
      summary: 'Begin a run',
      description:
        'Makes a run and its folder `runs/{runId}/` in the store, with `input_text.txt` and `metadata.json`. While the store is down the files follow later.',
      headers: Type.Object({ 'idempotency-key': IDEMPOTENCY_KEY }),
      body: ref(RunRequest),
      response: {
        201: { ...runResponse, headers: { location: { description: 'Path of the run.', type: 'string' } } },
        ...problems,
      },
    },
    handler: async (request, reply) => {
      const { run, replayed } = await createRun(deps, {
        caller: callerOf(request),
        input: request.body,
        idempotencyKey: idempotencyKey(request),
        signal: abortSignal(request, reply),
      });
      if (replayed) reply.header('idempotency-replayed', 'true');
      return reply
        .code(201)
        .header('location', `${basePathOf(deps.publicBaseUrl)}/v1/runs/${run.id}`)
        .send(presentRun(run));
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/runs',
    config: { access: 'media:read' },
    schema: {
      operationId: 'listRuns',
      tags,
      summary: 'List runs',
      description:
        'Newest first, page by page. A run is listed without its items: `GET /v1/runs/{runId}` returns them, `GET /v1/media?runId=` pages through them.',
      querystring: RunsQuery,
      response: { 200: runPageResponse, ...problems },
    },
    handler: async (request) => {
      const { runs, nextCursor } = await runsOf(deps, callerOf(request), request.query);
      return { items: runs.map(presentRun), nextCursor };
    },
  });

  app.route({
    method: 'GET',
    url: one,
    config: { access: 'media:read' },
    schema: {
      operationId: 'getRun',
      tags,
      summary: 'Read a run',
      description: 'The run with its items in the order in which they came; deleted ones are left out.',
      params: RunParams,
      response: { 200: runDetailsResponse, ...problems },
    },
    handler: async (request) => {
      const { items, moreItems, ...run } = await readRun(deps, callerOf(request), request.params.runId);
      return { ...presentRun(run), items: items.map((item) => present(item, deps.publicBaseUrl)), moreItems };
    },
  });

  ingestRoute(instance, {
    url: `${one}/media`,
    json: RunMediaJson,
    schema: {
      operationId: 'addRunMedia',
      tags,
      summary: 'Add media to a run',
      description:
        'Takes what `POST /v1/media` takes, and a ComfyUI prompt id; stores it as `output_{type}[_{n}].{ext}` in the folder of the run. A prompt that has not ended is answered with 202 and a job; its outputs follow by themselves.',
      params: RunParams,
      headers: Type.Object({ 'idempotency-key': IDEMPOTENCY_KEY }),
      response: {
        201: runMediaResponse('The items.'),
        202: runMediaResponse('The prompt has not ended; a worker stores its outputs when it has.'),
        ...problems,
      },
    },
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const { runId } = request.params as { runId: string };
      const media = await toRunMediaRequest(request, { signal: abortSignal(request, reply) });
      const { items, job, replayed } = await addRunMedia(deps, runId, media);
      if (replayed === true) reply.header('idempotency-replayed', 'true');
      return reply
        .code(job ? 202 : 201)
        .send({ items: items.map((item) => present(item, deps.publicBaseUrl)), ...(job && { job }) });
    },
  });

  app.route({
    method: 'POST',
    url: `${one}/complete`,
    config: { access: 'media:write', body: 'optional-json' },
    schema: {
      operationId: 'completeRun',
      tags,
      summary: 'Complete a run',
      description:
        'Closes the run, with its transformed text if it has one. From then on adding media is answered with 409 `run_completed`; outputs of prompts that were accepted before still come in. May be repeated.',
      params: RunParams,
      body: ref(RunCompletion),
      response: { 200: runResponse, ...problems },
    },
    handler: async (request) => {
      const { transformedText } = request.body;
      return presentRun(await completeRun(deps, callerOf(request), request.params.runId, transformedText));
    },
  });

  app.route({
    method: 'GET',
    url: `${one}/export`,
    config: { access: 'media:read' },
    schema: {
      operationId: 'exportRun',
      tags,
      summary: 'Export a run',
      description:
        'The whole run as a zip, streamed: `metadata.json`, the texts, and every output as it was stored. Outputs whose bytes are lost are named in `missing.txt`.',
      params: RunParams,
      response: { 200: zipResponse, ...problems },
    },
    handler: async (request, reply) => {
      const { stream, filename } = await exportRun(
        deps,
        callerOf(request),
        request.params.runId,
        abortSignal(request, reply),
      );
      stream.on('error', (error) => request.log.warn({ err: error }, 'an export broke off'));
      return reply.type('application/zip').header('content-disposition', contentDisposition(filename)).send(stream);
    },
  });
}

function presentRun({ id, ...run }: Run) {
  return { runId: id, status: run.completedAt === null ? 'open' : 'completed', ...run };
}
