import type { FastifyInstance } from 'fastify';

/** The path of the public address, without a slash at its end: empty when the service is at the root of its host. */
export function basePathOf(publicBaseUrl: string): string {
  return new URL(publicBaseUrl).pathname.replace(/\/$/, '');
}

/**
 * Requests behind a proxy that does not remove the path of the public address: it is removed here. Some proxies remove it
 * themselves, so only a path that goes on with the beginning of one of our routes is changed.
 * @param basePath as `basePathOf` returns it
 */
export function createRewriteUrl(basePath: string): {
  rewrite: (url: string) => string;
  learn(app: FastifyInstance): void;
} {
  const known = new Set<string>();
  return {
    rewrite(url) {
      if (basePath === '' || !url.startsWith(`${basePath}/`)) return url;
      const rest = url.slice(basePath.length);
      return known.has(firstSegment(rest)) ? rest : url;
    },
    learn(app) {
      app.addHook('onRoute', ({ url }) => {
        known.add(firstSegment(url));
      });
    },
  };
}

/** `/v1/media?q=fox` → `v1`. */
function firstSegment(url: string): string {
  return url.split(/[/?#]/, 2)[1] ?? '';
}
