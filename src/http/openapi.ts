import type { JsonObject } from '../json/json.ts';
import fastifySwagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { EXAMPLES } from './docs/examples.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** The document as it is served; each form is serialised once. */
    openapiText(form: 'json' | 'yaml'): Buffer;
    /** Operations whose body may be left out. */
    operationsWithOptionalBody: Set<string>;
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
export async function registerOpenapi(app: FastifyInstance, version: string, publicBaseUrl: string): Promise<void> {
  app.decorate('operationsWithOptionalBody', new Set<string>());
  app.addHook('onRoute', ({ config, schema }) => {
    if (config?.body === 'optional-json' && schema?.operationId !== undefined)
      app.operationsWithOptionalBody.add(schema.operationId);
  });
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'mediakeep',
        version,
        description:
          'Stores, indexes and serves AI-generated images, audio, video and 3D models. It keeps the bytes durably in your storage, the record in PostgreSQL, and returns a permanent URL.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: publicBaseUrl, description: 'This service.' }],
      tags: [
        { name: 'Media', description: 'Store, read, change and delete items. An item is one file with its record.' },
        {
          name: 'Delivery',
          description: 'The bytes of items: for a back end with a token, for a browser by a signed or public URL.',
        },
        { name: 'Search', description: 'Find items, and count them.' },
        { name: 'Import', description: 'Store what a provider answered, unchanged.' },
        { name: 'Jobs', description: 'The work at providers: register its owner, follow its state, fetch again.' },
        {
          name: 'Webhooks',
          description: 'Providers tell of finished jobs. A webhook without a known owner waits until someone owns it.',
        },
        { name: 'Uploads', description: 'Uploads straight from a browser: begin, send the bytes, complete.' },
        { name: 'Runs', description: 'Pipeline runs: one folder with the input, the texts and all outputs.' },
        { name: 'Scenes', description: 'Named slots in a project, and their versions.' },
        { name: 'Events', description: 'What happens, as it happens.' },
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
    transform: ({ schema, url }) => nameWildcard(withExample(relaxDefaults(schema)), url),
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json['$id'] === 'string' ? json['$id'] : `schema-${index}`,
    },
  });
  app.decorate('openapiText', openapiTexts(app));
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

/** The operation's command, as other tools show it, too. */
function withExample(schema: FastifySchema | undefined): FastifySchema | undefined {
  const source = EXAMPLES[schema?.operationId ?? ''];
  if (source === undefined) return schema;
  return { ...schema, 'x-codeSamples': [{ lang: 'Shell', label: 'curl', source }] } as FastifySchema;
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
  for (const path of Object.values(document['paths'] as Record<string, Record<string, Operation>>))
    for (const { operationId, requestBody } of Object.values(path))
      if (requestBody && app.operationsWithOptionalBody.has(operationId ?? '')) requestBody.required = false;
  return document;
}

interface Operation {
  operationId?: string;
  requestBody?: { required?: boolean };
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
