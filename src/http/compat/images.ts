import type { MediaItem } from '../../db/item-columns.ts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { formatOf, imageStats, imagesByOffset, networkVolumePath, saveImages } from '../../domain/compat/compat.ts';
import { itemByAnyId } from '../../domain/delivery/named-item.ts';
import { abortSignal } from '../connections/abort-signal.ts';
import { callerOf } from '../auth/auth.ts';
import { deliverItem, readerOf } from '../responses/deliver-item.ts';
import { present } from '../responses/present.ts';
import type { RouteDeps } from '../route-deps.ts';
import { problems, ref } from '../../shapes/common.ts';
import {
  CompatListQuery,
  ImageParams,
  ImageQuery,
  SaveImagesRequest,
  compatListResponse,
  compatSavedResponse,
} from '../schemas/compat.ts';
import { contentResponses } from '../schemas/delivery.ts';

const tags = ['Compatibility'];
const security: Record<string, string[]>[] = [{ bearer: [] }, {}];

export function presentImage(deps: RouteDeps, item: MediaItem) {
  const shown = present(item, deps.publicBaseUrl);
  return {
    ...shown,
    dataUrl: shown.url === null ? null : `${deps.publicBaseUrl}/api/images/${item.id}/data`,
    fileSize: item.bytes,
    format: formatOf(item.mimeType),
    networkVolumePath: networkVolumePath(deps, item),
  };
}

/** The image routes of older back ends, for front ends that must not change. */
export function compatImageRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();

  app.route({
    method: 'GET',
    url: '/api/images',
    config: { access: 'media:read' },
    schema: {
      operationId: 'compatListImages',
      tags,
      summary: 'List images, by offset',
      description:
        'Newest first, whole up to 8 MiB and abridged from there on; with `stats=true` their number, size and formats instead. `GET /v1/media` pages without reading what was left out, and without counting.',
      querystring: CompatListQuery,
      response: { 200: compatListResponse, ...problems },
    },
    handler: async (request) => {
      const { stats, ...wanted } = request.query;
      if (stats === 'true') return { success: true, stats: await imageStats(deps, callerOf(request), wanted) };
      const { items, total, hasMore } = await imagesByOffset(deps, callerOf(request), wanted);
      const images = items.map((item) => presentImage(deps, item));
      return { success: true, images, count: images.length, total, hasMore };
    },
  });

  app.route({
    method: 'POST',
    url: '/api/images/save',
    config: { access: 'media:write', body: 'json' },
    schema: {
      operationId: 'compatSaveImages',
      tags,
      summary: 'Store images that came in pieces',
      description:
        'What is in a store already comes first, then the bytes. Images of a job are the same items that its webhooks tell of.',
      body: ref(SaveImagesRequest),
      response: { 200: compatSavedResponse, ...problems },
    },
    handler: async (request, reply) => {
      const { userId } = request.body;
      const signal = abortSignal(request, reply);
      const items = await saveImages(deps, callerOf(request), { userId, body: request.body, signal });
      const failed = items.find((item) => item.status === 'failed');
      const images = items.map((item) => presentImage(deps, item));
      // A front end that keeps no other copy of an image must learn that it was not stored.
      return {
        success: failed === undefined,
        ...(failed && { error: failed.error ?? 'An image could not be stored.' }),
        image: images[0],
        images,
      };
    },
  });

  for (const [name, operationId] of [
    ['network-volume', 'compatGetNetworkVolumeImage'],
    ['data', 'compatGetImageData'],
  ] as const)
    app.route({
      method: 'GET',
      url: `/api/images/:imageId/${name}`,
      config: { access: 'optional' },
      schema: {
        operationId,
        tags,
        security,
        summary: 'Deliver the bytes of an image',
        description:
          "By its id, else by the id that it had in an older system. The older id is looked up among the items of `userId`, else among the caller's own. Without either it counts while all items that have it belong to one user; a service's token gets 409 `ambiguous` otherwise. The bytes are delivered as by `GET /v1/media/{id}/content`.",
        params: ImageParams,
        querystring: ImageQuery,
        response: { ...contentResponses, ...problems },
      },
      handler: async (request, reply) => {
        const wanted = { id: request.params.imageId, userId: request.query.userId };
        return deliverItem(deps, request, reply, await itemByAnyId(deps, readerOf(request), wanted));
      },
    });
}
