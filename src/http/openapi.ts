import type { JsonObject } from '../json/json.ts';
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema } from 'fastify';

declare module 'fastify' {
  interface FastifyInstance {
    /** The document as it is served; each form is serialised once. */
    openapiText(form: 'json' | 'yaml'): Buffer;
  }
}

function openapiTexts(app: FastifyInstance): (form: 'json' | 'yaml') => Buffer {
  const texts = new Map<string, Buffer>();
  return (form) => {
    const known = texts.get(form);
    if (known) return known;
    const text = Buffer.from(form === 'json' ? JSON.stringify(openapiDocument(app)) : app.swagger({ yaml: true }));
    texts.set(form, text);
    return text;
  };
}

/** Describes the API from the routes' own schemas; register it before them. */
export async function registerOpenapi(
  app: FastifyInstance,
  version: string,
  publicBaseUrl: string,
  { page }: { page: boolean },
): Promise<void> {
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
        { name: 'Events', description: 'What happens, as it happens.' },
        { name: 'Delivery', description: 'Bytes and signed URLs.' },
        { name: 'Runs', description: 'Pipeline runs and their folders.' },
        { name: 'Scenes', description: 'Named slots in a project, and their versions.' },
        { name: 'Jobs', description: 'The work at generating back ends.' },
        { name: 'Import', description: "Providers' answers." },
        { name: 'Webhooks', description: "Providers' webhooks." },
        { name: 'Uploads', description: 'Uploads straight from a browser.' },
        { name: 'Compatibility', description: 'Paths and payloads of older systems.' },
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
    transform: ({ schema, url }) => nameWildcard(relaxDefaults(schema), url),
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json['$id'] === 'string' ? json['$id'] : `schema-${index}`,
    },
  });
  app.decorate('openapiText', openapiTexts(app));
  if (!page) return;
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    // The plugin would serialise the document for each request.
    uiHooks: {
      onRequest: (request, reply, done) => {
        const { url } = request.routeOptions;
        if (url === '/docs/json') void reply.type('application/json; charset=utf-8').send(app.openapiText('json'));
        else if (url === '/docs/yaml') void reply.type('application/x-yaml').send(app.openapiText('yaml'));
        else done();
      },
    },
    staticCSP: `default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self' ${new URL(publicBaseUrl).origin}; base-uri 'none'; frame-ancestors 'none'`,
  });
}

/** Callers may omit properties with a default, although a handler always finds them. */
function relaxDefaults(schema: FastifySchema | undefined): FastifySchema | undefined {
  const query = schema?.querystring as
    | { properties: Record<string, { default?: unknown }>; required?: string[] }
    | undefined;
  if (query?.required === undefined) return schema;
  const required = query.required.filter((name) => query.properties[name]?.default === undefined);
  return { ...schema, querystring: { ...query, required } };
}

/** OpenAPI has no wildcards; a path that ends in one is shown with a parameter `key`. */
function nameWildcard(schema: FastifySchema | undefined, url: string): { schema: FastifySchema; url: string } {
  const params = schema?.params as { properties: Record<string, unknown> } | undefined;
  if (!url.endsWith('/*') || params === undefined) return { schema: schema ?? {}, url };
  const { '*': key, ...properties } = params.properties;
  return {
    schema: { ...schema, params: { ...params, properties: { ...properties, key }, required: ['key'] } },
    url: url.replace(/\*$/, ':key'),
  };
}

/** The document as it is served and committed. */
export function openapiDocument(app: FastifyInstance): JsonObject {
  const document = JSON.parse(JSON.stringify(app.swagger())) as JsonObject;
  const schemas = (document['components'] as { schemas: Record<string, { properties?: Record<string, JsonObject> }> })
    .schemas;
  // Code generators need an explicit mapping, which the validator does not accept.
  for (const schema of Object.values(schemas)) {
    for (const property of Object.values(schema.properties ?? {})) {
      if (property['discriminator'])
        Object.assign(property['discriminator'], { mapping: mappingOf(property['oneOf'], schemas) });
    }
  }
  return document;
}

function mappingOf(oneOf: unknown, schemas: Record<string, { properties?: Record<string, JsonObject> }>): JsonObject {
  const references = (oneOf as { $ref: string }[]).map(({ $ref }) => $ref);
  return Object.fromEntries(
    references.map(($ref) => [discriminatorOf(schemas[$ref.split('/').at(-1) ?? '']?.properties?.['type']), $ref]),
  );
}

/** The plugin writes a literal as an enum of one value. */
function discriminatorOf(property: JsonObject | undefined): string {
  const [value] = Array.isArray(property?.['enum']) ? property['enum'] : [property?.['const']];
  if (typeof value !== 'string') throw new Error('A member of a discriminated union has no literal type');
  return value;
}
