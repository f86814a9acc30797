import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import type { JsonObject } from '../db/tables.ts';

/** Describes the API from the routes' own schemas; to be registered before them. */
export async function registerOpenapi(app: FastifyInstance, version: string, publicBaseUrl: string): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'mediakeep',
        version,
        description:
          'Keeps what generative models make: stores the bytes durably, records them, finds them again and delivers them.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: publicBaseUrl, description: 'This service.' }],
      tags: [
        { name: 'Media', description: 'Items: store, read, change, delete.' },
        { name: 'Search', description: 'Listings and totals.' },
        { name: 'Delivery', description: 'Bytes and signed URLs.' },
        { name: 'Operations', description: 'Health and metrics.' },
      ],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: 'Scopes: media:read, media:write, media:admin.',
          },
        },
      },
      security: [{ bearer: [] }],
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json['$id'] === 'string' ? json['$id'] : `schema-${index}`,
    },
  });
  await app.register(fastifySwaggerUi, { routePrefix: '/docs', staticCSP: true });
}

/** The document as it is served and committed. */
export function openapiDocument(app: FastifyInstance): JsonObject {
  return JSON.parse(JSON.stringify(app.swagger())) as JsonObject;
}
