import fastifyCors from '@fastify/cors';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import type { Config } from './config/load-config.ts';
import { registerAuth } from './http/auth/auth.ts';
import { basePathOf, createRewriteUrl } from './http/base-path.ts';
import { answerClientError, trackResponses } from './http/errors/client-error.ts';
import { registerErrorHandler, sendFrameworkError } from './http/errors/error-handler.ts';
import { closeOnlyIdleConnections } from './http/connections/idle-connections.ts';
import { registerLogging, requestId } from './http/logging.ts';
import { registerOpenapi } from './http/openapi.ts';
import { registerUnknownRoutes } from './http/errors/unknown-routes.ts';
import { limitDatabaseWaits } from './http/connections/database-wait.ts';
import { registerPressure } from './http/connections/pressure.ts';
import { registerRateLimit } from './http/connections/rate-limit.ts';
import { createBodyMemory } from './http/requests/body-memory.ts';
import { registerQueryGuard } from './http/requests/query-guard.ts';
import { registerBodies } from './http/requests/read-body.ts';
import { registerHeadRequests } from './http/responses/head-requests.ts';
import type { RouteDeps } from './http/route-deps.ts';
import { registerSecurityHeaders } from './http/security-headers.ts';
import { registerSingleHeaders } from './http/requests/single-headers.ts';
import { trackHandlers } from './http/connections/running-handlers.ts';
import { registerRoutes } from './http/routes/all-routes.ts';
import { components } from './shapes/common.ts';
import { TIMING, type Timing, registerPatience } from './http/connections/timing.ts';
import { addSchemas, schemaCompilers } from './http/errors/validation.ts';
import type { Metrics } from './telemetry/metrics.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Turns readiness red, before the port is closed. */
    announceClosing(): void;
  }
}

export interface AppDeps extends RouteDeps {
  config: Config;
  /** The secret of HS256 tokens, if there is one. */
  jwtSecret: string | undefined;
  allMetrics: Metrics;
  version: string;
  /** Time limits of connections; tests use shorter ones. */
  timing?: Timing;
}

/** Characters of a path parameter: a signed token is the longest. */
const MAX_PARAM_LENGTH = 2500;

/** Builds the service without listening; tests inject into the same app. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { config, timing = TIMING } = deps;
  const addresses = createRewriteUrl(basePathOf(deps.publicBaseUrl));
  const app = Fastify({
    rewriteUrl: ({ url = '/' }) => addresses.rewrite(url),
    loggerInstance: deps.log,
    genReqId: requestId,
    logController: new LogController({ disableRequestLogging: true }),
    // The context of the log names the request.
    childLoggerFactory: (logger) => logger,
    bodyLimit: config.MAX_JSON_BYTES,
    connectionTimeout: timing.idleMs,
    requestTimeout: config.REQUEST_TIMEOUT_SECONDS * 1000,
    keepAliveTimeout: 72_000,
    http: {
      headersTimeout: timing.headersMs,
      connectionsCheckingInterval: timing.checkMs,
      maxHeaderSize: 32 * 1024,
      // Node's own refusal has no problem document: `single-headers.ts` refuses requests without it.
      requireHostHeader: false,
    },
    clientErrorHandler: answerClientError,
    trustProxy: config.TRUSTED_PROXIES.length > 0 ? [...config.TRUSTED_PROXIES] : false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    frameworkErrors: sendFrameworkError,
  }) as unknown as FastifyInstance;

  addresses.learn(app);
  const shared = components();
  closeOnlyIdleConnections(app.server);
  trackResponses(app.server);
  addSchemas(app, shared);
  const { validator, serializer } = schemaCompilers(shared);
  app.setValidatorCompiler(validator);
  app.setSerializerCompiler(serializer);
  registerErrorHandler(app);
  trackHandlers(app);
  registerLogging(app, deps.allMetrics.request);
  registerPatience(app, timing.idleMs);
  limitDatabaseWaits(app);
  registerSingleHeaders(app);
  registerSecurityHeaders(app);
  registerHeadRequests(app);
  if (config.CORS_ORIGINS.length > 0) {
    await app.register(fastifyCors, {
      origin: config.CORS_ORIGINS.includes('*') ? '*' : [...config.CORS_ORIGINS],
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: [
        'location',
        'etag',
        'last-modified',
        'accept-ranges',
        'content-length',
        'content-range',
        'content-disposition',
        'retry-after',
        'x-request-id',
        'x-storage-provider',
        'x-workflow-format',
        'idempotency-replayed',
      ],
      maxAge: 600,
    });
  }
  await registerPressure(app, timing.maxLagMs);
  registerUnknownRoutes(app, { maxParamLength: MAX_PARAM_LENGTH, publicBaseUrl: deps.publicBaseUrl });
  await registerRateLimit(app, config.RATE_LIMIT_MAX);
  registerAuth(app, {
    jwtSecret: deps.jwtSecret,
    jwksUrl: config.JWT_JWKS_URL,
    issuer: config.JWT_ISSUER,
    audience: config.JWT_AUDIENCE,
  });
  const memory = createBodyMemory(config.JSON_MEMORY_BYTES);
  deps.allMetrics.watchJsonBodies(() => memory.held());
  registerBodies(app, {
    maxJsonBytes: config.MAX_JSON_BYTES,
    maxFileBytes: config.MAX_UPLOAD_BYTES,
    json: deps.limits.json,
    memory,
    rate: timing.bodyRate,
  });
  registerQueryGuard(app);
  await registerOpenapi(app, deps.version, deps.publicBaseUrl);

  let closing = false;
  app.decorate('announceClosing', () => {
    closing = true;
  });
  app.addHook('preClose', async () => app.announceClosing());
  await registerRoutes(app, deps, {
    events: timing.events,
    metrics: deps.allMetrics,
    metricsToken: config.METRICS_TOKEN,
    servesMetrics: config.METRICS_PORT === undefined,
    servesDocs: config.DOCS,
    isClosing: () => closing,
  });
  return app;
}
