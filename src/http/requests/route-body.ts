import type { FastifyInstance } from 'fastify';

/** What a route takes as its body. Every route that may have one says so; one that does not stops the start. */
export type RouteBody =
  /** Nothing, or `{}`, which many clients send with every POST. */
  | 'none'
  /** JSON of a caller. */
  | 'json'
  /** JSON of a provider, handed on by a caller: seeds keep their digits. */
  | 'provider-json'
  /** A file as it is. */
  | 'file'
  /** A file as it is, a form with one, or JSON. */
  | 'ingest'
  /** The bytes of a webhook, whatever their type: its signature is over those. */
  | 'webhook';

declare module 'fastify' {
  interface FastifyContextConfig {
    body?: RouteBody;
  }
}

/** How one request's body is read. */
export type BodyForm = 'json' | 'provider-json' | 'empty-object' | 'file' | 'form' | 'bytes';

// No other JSON type: one that the routes do not declare would be parsed and then not be validated.
const JSON_TYPE = /^application\/json\s*(;|$)/i;
const FILE_TYPE = /^((image|audio|video|model)\/|application\/octet-stream\s*(;|$))/i;
const FORM_TYPE = /^multipart\/form-data\s*(;|$)/i;

const JSON_FORM: Readonly<Record<RouteBody, BodyForm | undefined>> = {
  none: 'empty-object',
  json: 'json',
  'provider-json': 'provider-json',
  file: undefined,
  ingest: 'json',
  webhook: 'bytes',
};

/** The form of a body of that type on such a route; undefined: the route does not take it. */
export function formOf(route: RouteBody, contentType: string): BodyForm | undefined {
  if (route === 'webhook') return 'bytes';
  if (JSON_TYPE.test(contentType)) return JSON_FORM[route];

  if (route !== 'file' && route !== 'ingest') return undefined;
  if (FILE_TYPE.test(contentType)) return 'file';
  return route === 'ingest' && FORM_TYPE.test(contentType) ? 'form' : undefined;
}

/** What a caller may send instead, for the message of a refusal. */
export const TAKEN: Readonly<Record<RouteBody, string>> = {
  none: 'it takes no body, so send none or {} as application/json',
  json: 'send application/json',
  'provider-json': 'send application/json',
  file: 'send the bytes of the file with its media type, or application/octet-stream',
  ingest: 'send application/json, multipart/form-data, or the bytes of the file with its media type',
  webhook: 'send what the provider sends',
};

const WITHOUT_BODY = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Whether Fastify hands the body of a request of that method to a parser. */
export function mayHaveBody(method: string): boolean {
  return !WITHOUT_BODY.has(method);
}

/** Stops the start at a route that may have a body and does not say which. */
export function requireRouteBodies(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if ([route.method].flat().some(mayHaveBody) && route.config?.body === undefined)
      throw new Error(`${String(route.method)} ${route.url} does not say what body it takes`);
  });
}
