import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { SortField } from '../../db/search/item-filter.ts';
import { parseMetadataFilter } from '../../domain/search/metadata-filter.ts';
import { search, stats, tagCounts } from '../../domain/search/search.ts';
import { callerOf } from '../auth/auth.ts';
import { filterOf } from '../requests/search-filter.ts';
import { sendPage } from '../responses/present.ts';
import type { RouteDeps } from '../route-deps.ts';
import { problems } from '../../shapes/common.ts';
import { pageResponse } from '../schemas/media.ts';
import { SearchQuery, StatsQuery, TagQuery, statsResponse, tagsResponse } from '../schemas/search.ts';

const tags = ['Search'];

/** Listings and counts. */
export function searchRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const find = async (request: FastifyRequest, reply: FastifyReply, query: SearchQuery, failed: boolean) => {
    const { sort, limit, cursor, includeTotal, metadata, ...conditions } = query;
    const [by, order] = sort.split(':') as [SortField, 'asc' | 'desc'];
    const wanted = filterOf({
      ...conditions,
      metadata: metadata === undefined ? undefined : parseMetadataFilter(metadata),
    });
    const result = await search(deps, callerOf(request), {
      filter: { ...wanted, ...(failed && { failed }) },
      by,
      order,
      limit,
      cursor,
      includeTotal,
    });
    return sendPage(deps, reply, result);
  };

  app.route({
    method: 'GET',
    url: '/v1/media',
    config: { access: 'media:read' },
    schema: {
      operationId: 'searchMedia',
      tags,
      summary: 'Search items',
      description:
        'Items that fulfil every given condition, newest first, page by page. Nothing is skipped or repeated between pages.',
      querystring: SearchQuery,
      response: { 200: pageResponse, ...problems },
    },
    handler: async (request, reply) => find(request, reply, request.query, false),
  });

  app.route({
    method: 'GET',
    url: '/v1/failures',
    config: { access: 'media:read' },
    schema: {
      operationId: 'listFailures',
      tags,
      summary: 'List failed generations',
      description: 'Items whose status is neither `success` nor `pending`; filters and pages as in the search.',
      querystring: SearchQuery,
      response: { 200: pageResponse, ...problems },
    },
    handler: async (request, reply) => find(request, reply, request.query, true),
  });

  app.route({
    method: 'GET',
    url: '/v1/tags',
    config: { access: 'media:read' },
    schema: {
      operationId: 'listTags',
      tags,
      summary: 'List tags',
      description:
        'Tags with the number of items that bear them, most frequent first. Kept by background work; `behind` tells whether it has caught up.',
      querystring: TagQuery,
      response: { 200: tagsResponse, ...problems },
    },
    handler: async (request) => tagCounts(deps, callerOf(request), request.query),
  });

  app.route({
    method: 'GET',
    url: '/v1/stats',
    config: { access: 'media:read' },
    schema: {
      operationId: 'getStats',
      tags,
      summary: 'Read totals',
      description:
        'Totals of one user; with media:admin of one or of all. Kept by background work; `behind` tells whether it has caught up.',
      querystring: StatsQuery,
      response: { 200: statsResponse, ...problems },
    },
    handler: async (request) => (await stats(deps, callerOf(request), request.query.userId)) as never,
  });
}
