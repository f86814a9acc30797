import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import { type TSchema, Type } from 'typebox';
import { ref } from '../../shapes/common.ts';
import { IngestFields, IngestFormSchema } from '../../shapes/ingest.ts';
import { anyBinary, binaryContent } from '../schemas/delivery.ts';

type IngestRoute = Pick<RouteOptions, 'url' | 'handler'> & {
  schema: FastifySchema & { operationId: string; summary: string; description: string };
  /** Schema of the JSON body. */
  json: TSchema;
};

/**
 * A route that stores media from JSON, a form or raw bytes. Generators of clients know one body for each operation, so the form and the
 * raw bytes also have routes of their own, below `/form` and `/bytes`.
 */
export function ingestRoute(app: FastifyInstance, { url, schema, json, handler }: IngestRoute): void {
  const { operationId, summary } = schema;
  const like = `As \`POST ${url.replace(/:(\w+)/g, '{$1}')}\` does`;
  const querystring = Type.Object(IngestFields.properties, { additionalProperties: false });
  const form = { 'multipart/form-data': { schema: ref(IngestFormSchema) } };
  const common = { method: 'POST', handler } as const;
  app.route({
    ...common,
    url,
    config: { access: 'media:write', body: 'ingest' },
    schema: {
      ...schema,
      querystring,
      body: { content: { 'application/json': { schema: ref(json) }, ...form, ...binaryContent } },
    },
  });
  app.route({
    ...common,
    url: `${url}/form`,
    config: { access: 'media:write', body: 'form' },
    schema: {
      ...schema,
      operationId: `${operationId}Form`,
      summary: `${summary}, from a form`,
      description: `${like}, but takes a form alone: generators of clients know one body for each operation. All fields belong into the form.`,
      querystring: Type.Object({}, { additionalProperties: false }),
      body: { content: form },
    },
  });
  app.route({
    ...common,
    url: `${url}/bytes`,
    config: { access: 'media:write', body: 'octets' },
    schema: {
      ...schema,
      operationId: `${operationId}Bytes`,
      summary: `${summary}, from raw bytes`,
      description: `${like}, but takes raw bytes alone, with the fields in the query. The media type is read from the bytes; a file without a recognisable signature needs the route that takes its type.`,
      querystring,
      body: { content: anyBinary },
    },
  });
}
