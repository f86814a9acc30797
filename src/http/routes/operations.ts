import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { checkReadiness } from '../../domain/readiness.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { checkMetricsToken } from '../metrics-access.ts';
import type { RouteDeps } from '../route-deps.ts';
import { component, problems, ref } from '../../shapes/common.ts';

const tags = ['Operations'];

const Liveness = component(
  'Liveness',
  { status: Type.String({ description: 'Always `ok`: the process answers.', examples: ['ok'] }) },
  { description: 'The process answers.' },
);
const Check = component(
  'Check',
  {
    name: Type.String({
      description: '`database`, `schema`, `store:<name>`, `background:<part>` or `process`.',
      examples: ['database'],
    }),
    ok: Type.Boolean({ description: 'Whether it works.' }),
    reason: Type.Optional(Type.String({ description: 'Why it does not.' })),
    degraded: Type.Optional(
      Type.Boolean({
        description:
          'It fails, but requests can be served: a fallback does its work, or it is background work that is being retried.',
      }),
    ),
  },
  { description: 'One thing that the service depends on.' },
);
const Readiness = component(
  'Readiness',
  {
    status: Type.String({ description: '`ready` or `unready`.', examples: ['ready'] }),
    checks: Type.Array(ref(Check), { description: 'What was looked at.' }),
  },
  { description: 'Whether requests can be served.' },
);

const json = (description: string, schema: Parameters<typeof ref>[0]) => ({
  description,
  content: { 'application/json': { schema: ref(schema) } },
});
const open = { access: 'open' as const, rateLimit: false as const };

export interface OperationsOptions {
  metrics: Metrics;
  metricsToken: string | undefined;
  /** False: another port does. */
  servesMetrics: boolean;
  /** Whether the process is about to stop. */
  isClosing: () => boolean;
}

/** Health, metrics and information for operators and their tools. */
export function operationsRoutes(
  app: FastifyInstance,
  deps: RouteDeps,
  { metrics, metricsToken, servesMetrics, isClosing }: OperationsOptions,
): void {
  app.get('/health/live', {
    config: open,
    schema: {
      operationId: 'getLiveness',
      tags,
      security: [],
      summary: 'Is the process alive',
      description: 'Depends on nothing else; restart the process when it does not answer.',
      response: { 200: json('It is.', Liveness), ...problems },
    },
    handler: async () => ({ status: 'ok' }),
  });

  app.get('/health/ready', {
    config: open,
    schema: {
      operationId: 'getReadiness',
      tags,
      security: [],
      summary: 'Can requests be served',
      description:
        'Looks at the database, its schema and the primary store; 503 while one of them fails. While the primary store is down and a fallback takes what comes, it is ready and the check is `degraded`. So is the check of each part of the background work that fails and is being retried, and of a schema that a newer version has migrated.',
      response: { 200: json('Ready.', Readiness), 503: json('Not ready.', Readiness), ...problems },
    },
    handler: async (_request, reply) => {
      const checks = await checkReadiness(deps);
      if (isClosing()) checks.push({ name: 'process', ok: false, reason: 'shutting down' });
      const ready = checks.every((check) => check.ok || check.degraded === true);
      return reply
        .code(ready ? 200 : 503)
        .header('cache-control', 'no-store')
        .send({ status: ready ? 'ready' : 'unready', checks });
    },
  });

  if (servesMetrics)
    app.get('/metrics', {
      config: open,
      schema: {
        operationId: 'getMetrics',
        tags,
        security: [],
        summary: 'Read the metrics',
        description:
          'In the text format of Prometheus. Keep it off the public network: with `METRICS_TOKEN`, or on a port of its own with `METRICS_PORT`.',
        response: {
          200: { description: 'Metrics.', content: { 'text/plain': { schema: { type: 'string' } } } },
          ...problems,
        },
      },
      handler: async (request, reply) => {
        checkMetricsToken(metricsToken, request.headers.authorization);
        return reply
          .type(metrics.registry.contentType)
          .serializer(String)
          .send(await metrics.registry.metrics());
      },
    });
}
