import type { FastifyInstance } from 'fastify';
import findMyWay from 'find-my-way';
import { AppError } from '../../errors.ts';

/**
 * Refuses paths and methods without a route before the request is read: Fastify would parse the body first, for any sender. The
 * methods of a path come from a second router with the same rules, because Fastify's own has one tree per method.
 */
export function registerUnknownRoutes(
  app: FastifyInstance,
  { maxParamLength, publicBaseUrl }: { maxParamLength: number; publicBaseUrl: string },
): void {
  const paths = findMyWay({ maxParamLength });
  const known = new Map<string, Path>();
  app.addHook('onRoute', ({ method, url }) => {
    const path = known.get(url) ?? { url, methods: new Set() };
    for (const name of [method].flat()) path.methods.add(name);
    if (!known.has(url)) paths.on('GET', url, () => {}, path);
    known.set(url, path);
  });
  app.decorate('refuseUnknown', (request) => {
    if (!request.is404) return;
    const found = paths.find('GET', request.url.split('?', 1)[0] ?? '');
    const path = found?.store as Path | undefined;
    throw path
      ? wrongMethod(request.method, path)
      : unknownPath(known.has('/docs') ? `${publicBaseUrl}/docs` : undefined);
  });
  app.setNotFoundHandler((request) => app.refuseUnknown(request));
}

interface Path {
  url: string;
  methods: Set<string>;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** @throws AppError not_found, method_not_allowed when no route matches the request */
    refuseUnknown(request: FastifyRequest): void;
  }
}

// Neither message repeats the path: it may contain the token of a signed URL, and messages are logged.
function unknownPath(docs: string | undefined): AppError {
  return new AppError(
    'not_found',
    docs === undefined ? 'There is no route of that path.' : `There is no route of that path; see ${docs}.`,
  );
}

function wrongMethod(method: string, { url, methods }: Path): AppError {
  const allowed = [...methods].toSorted().join(', ');
  return new AppError('method_not_allowed', `${url} does not take ${method}; it takes ${allowed}.`, {
    headers: { allow: allowed },
  });
}
