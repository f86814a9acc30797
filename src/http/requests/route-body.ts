import type { FastifyInstance } from 'fastify';

/** The body that a route accepts. Every route that may have one must declare it, or the start fails. */
export type RouteBody =
  /** Nothing, or `{}`, which many clients send with every POST. */
  | 'none'
  /** A caller's JSON. */
  | 'json'
  /** The same, with fields that may all be left out, and so the body, too. */
  | 'optional-json'
  /** A provider's JSON, forwarded by a caller: seeds keep their digits. */
  | 'provider-json'
  /** A raw file. */
  | 'file'
  /** A raw file, announced as bytes. */
  | 'octets'
  /** A form with a file. */
  | 'form'
  /** A raw file, a form with one, or JSON. */
  | 'ingest'
  /** The bytes of a webhook, whatever their type: its signature covers those. */
  | 'webhook';

declare module 'fastify' {
  interface FastifyContextConfig {
    body?: RouteBody;
  }
}

/** How the body of a request is read. */
export type BodyForm = 'json' | 'provider-json' | 'empty-object' | 'file' | 'form' | 'bytes';

// No other JSON type: a type that the routes do not declare would be parsed but not validated.
const JSON_TYPE = /^application\/json\s*(;|$)/i;
// The second is what S3's tools send. Without a type, the bytes tell.
const OCTETS_TYPE = /^((application|binary)\/octet-stream\s*(;|$)|\s*$)/i;
const MEDIA_TYPE = /^(image|audio|video|model)\//i;
const FORM_TYPE = /^multipart\/form-data\s*(;|$)/i;

const JSON_FORM: Readonly<Record<RouteBody, BodyForm | undefined>> = {
  none: 'empty-object',
  json: 'json',
  'optional-json': 'json',
  'provider-json': 'provider-json',
  file: undefined,
  octets: undefined,
  form: undefined,
  ingest: 'json',
  webhook: 'bytes',
};

/** The form of a body of that type on such a route; undefined: the route does not accept it. */
export function formOf(route: RouteBody, contentType: string): BodyForm | undefined {
  if (route === 'webhook') return 'bytes';
  if (JSON_TYPE.test(contentType)) return JSON_FORM[route];
  const takesFile = route === 'octets' || route === 'file' || route === 'ingest';
  if (takesFile && OCTETS_TYPE.test(contentType)) return 'file';
  if (takesFile && route !== 'octets' && MEDIA_TYPE.test(contentType)) return 'file';
  return (route === 'form' || route === 'ingest') && FORM_TYPE.test(contentType) ? 'form' : undefined;
}

/** The accepted bodies, for the message of a refusal. */
export const TAKEN: Readonly<Record<RouteBody, string>> = {
  none: 'it takes no body, so send none or {} as application/json',
  json: 'send application/json',
  'optional-json': 'send application/json, or no body',
  'provider-json': 'send application/json',
  file: 'send the bytes of the file with its media type, or application/octet-stream',
  octets: 'send the bytes of the file as application/octet-stream',
  form: 'send multipart/form-data',
  ingest: 'send application/json, multipart/form-data, or the bytes of the file with its media type',
  webhook: 'send what the provider sends',
};

const WITHOUT_BODY = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Whether Fastify passes the body of a request with that method to a parser. */
export function mayHaveBody(method: string): boolean {
  return !WITHOUT_BODY.has(method);
}

/** Fails the start if a route that may have a body does not declare it. */
export function requireRouteBodies(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if ([route.method].flat().some(mayHaveBody) && route.config?.body === undefined)
      throw new Error(`${String(route.method)} ${route.url} does not say what body it takes`);
  });
}
