import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import type { GenerationJob } from '../../db/jobs/jobs.ts';
import { jobItems, readJob, registerJob, retryJob } from '../../domain/jobs/jobs.ts';
import { jobsOf } from '../../domain/jobs/list-jobs.ts';
import { callerOf } from '../auth/auth.ts';
import { present, sendPage } from '../responses/present.ts';
import type { RouteDeps } from '../route-deps.ts';
import { problems, ref } from '../../shapes/common.ts';
import {
  JobItemsQuery,
  JobParams,
  JobRequest,
  JobsQuery,
  jobPageResponse,
  jobResponse,
  retriedResponse,
} from '../schemas/jobs.ts';
import { pageResponse } from '../schemas/media.ts';

const tags = ['Jobs'];

/** Generation jobs: register one before its webhook arrives, read it, and retry the fetch of missing outputs. */
export function jobRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const job = '/v1/jobs/:provider/:jobId';

  app.route({
    method: 'PUT',
    url: job,
    // A user's token names the owner.
    config: { access: 'media:write', body: 'optional-json' },
    schema: {
      operationId: 'registerJob',
      tags,
      summary: 'Register a job',
      description:
        'Says who owns a job, and which fields its items get, before its webhook arrives. Parked webhooks of the same provider and job that name this user, or nobody, are carried out now. Again with other fields: they count for what still arrives.',
      params: JobParams,
      body: ref(JobRequest),
      response: { 200: jobResponse, 201: jobResponse, ...problems },
    },
    handler: async (request, reply) => {
      const registered = await registerJob(deps, callerOf(request), request.params, request.body);
      return reply.code(registered.made ? 201 : 200).send(presentJob(registered.job));
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/jobs',
    config: { access: 'media:read' },
    schema: {
      operationId: 'listJobs',
      tags,
      summary: 'List jobs',
      description:
        'Newest first, page by page, as `GET /v1/jobs/{provider}/{jobId}` returns each. Jobs are those that were registered, or that an answer or a webhook named.',
      querystring: JobsQuery,
      response: { 200: jobPageResponse, ...problems },
    },
    handler: async (request) => {
      const { jobs, nextCursor } = await jobsOf(deps, callerOf(request), request.query);
      return { items: jobs, nextCursor };
    },
  });

  app.route({
    method: 'GET',
    url: job,
    config: { access: 'media:read' },
    schema: {
      operationId: 'getJob',
      tags,
      summary: 'Read a job',
      description: 'Its state, progress, times and error, as far as its provider has told.',
      params: JobParams,
      response: { 200: jobResponse, ...problems },
    },
    handler: async (request) => presentJob(await readJob(deps, callerOf(request), request.params)),
  });

  app.route({
    method: 'GET',
    url: `${job}/media`,
    config: { access: 'media:read' },
    schema: {
      operationId: 'listJobMedia',
      tags,
      summary: 'List the items of a job',
      description: 'Newest first, page by page; those whose bytes are still being fetched are `pending`.',
      params: JobParams,
      querystring: JobItemsQuery,
      response: { 200: pageResponse, ...problems },
    },
    handler: async (request, reply) => {
      const { limit, cursor } = request.query;
      const result = await jobItems(deps, callerOf(request), request.params, { limit, cursor });
      return sendPage(deps, reply, result);
    },
  });

  app.route({
    method: 'POST',
    url: `${job}/retry`,
    config: { access: 'media:write', body: 'none' },
    schema: {
      operationId: 'retryJob',
      tags,
      summary: 'Fetch again what could not be stored',
      description:
        'Asks once more for the bytes of items of this job that have failed, or wait for their next attempt.',
      params: JobParams,
      response: { 200: retriedResponse, ...problems },
    },
    handler: async (request) => {
      const items = await retryJob(deps, callerOf(request), request.params);
      return { items: items.map((item) => present(item, deps.publicBaseUrl)) };
    },
  });
}

function presentJob({ fields: _fields, ...job }: GenerationJob) {
  return job;
}
