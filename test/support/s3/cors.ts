import type { IncomingMessage } from 'node:http';
import type { CorsRule } from './buckets.ts';

export interface CorsAnswer {
  allowed: boolean;
  headers: Record<string, string>;
}

/** What a bucket's rules permit a browser for this request, or for the one that a preflight announces. */
export function corsHeaders(rules: readonly CorsRule[], request: IncomingMessage): CorsAnswer {
  const origin = request.headers.origin;
  if (origin === undefined) return { allowed: false, headers: {} };
  const method = request.headers['access-control-request-method'] ?? request.method ?? '';
  const wanted = (request.headers['access-control-request-headers'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter(Boolean);
  const rule = rules.find(
    (each) =>
      each.origins.some((allowed) => allowed === '*' || allowed === origin) &&
      each.methods.includes(method) &&
      wanted.every((name) => each.headers.includes('*') || each.headers.includes(name)),
  );
  if (!rule) return { allowed: false, headers: {} };
  return {
    allowed: true,
    headers: {
      'access-control-allow-origin': origin,
      'access-control-allow-methods': rule.methods.join(', '),
      'access-control-allow-headers': wanted.join(', '),
      'access-control-expose-headers': rule.expose.join(', '),
      vary: 'Origin',
    },
  };
}
