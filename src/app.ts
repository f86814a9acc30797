import fastifyCors from '@fastify/cors';
import fastifyMultipart from '@fastify/multipart';
import fastifyRateLimit from '@fastify/rate-limit';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import type { Config } from './config.ts';
import { EventStreams } from './domain/event-streams.ts';
import { AppError } from './errors.ts';
import { registerAuth } from './http/auth.ts';
import { answerClientError } from './http/client-error.ts';
import { compatImageRoutes } from './http/compat/images.ts';
import { compatRunRoutes } from './http/compat/runs.ts';
import { registerErrorHandler, sendFrameworkError } from './http/error-handler.ts';
import { closeOnlyIdleConnections } from './http/idle-connections.ts';
import { createJsonMemory } from './http/json-memory.ts';
import { registerJsonParser } from './http/json-parser.ts';
import { registerLogging, requestId } from './http/logging.ts';
import { registerOpenapi } from './http/openapi.ts';
import { registerPressure } from './http/pressure.ts';
import { registerQueryGuard } from './http/query-guard.ts';
import type { RouteDeps } from './http/route-deps.ts';
import { registerSecurityHeaders } from './http/security-headers.ts';
import { trackHandlers } from './http/running-handlers.ts';
import { batchRoutes } from './http/routes/batches.ts';
import { deliveryRoutes } from './http/routes/delivery.ts';
import { eventRoutes } from './http/routes/events.ts';
import { importRoutes } from './http/routes/imports.ts';
import { jobRoutes } from './http/routes/jobs.ts';
import { mediaRoutes } from './http/routes/media.ts';
import { OPERATIONS_SCHEMAS, operationsRoutes } from './http/routes/operations.ts';
import { runRoutes } from './http/routes/runs.ts';
import { sceneRoutes } from './http/routes/scenes.ts';
import { searchRoutes } from './http/routes/search.ts';
import { uploadRoutes } from './http/routes/uploads.ts';
import { webhookRoutes } from './http/routes/webhooks.ts';
import { workflowRoutes } from './http/routes/workflow.ts';
import { Problem } from './http/schemas/common.ts';
import { DELIVERY_SCHEMAS } from './http/schemas/delivery.ts';
import { EVENT_SCHEMAS } from './http/schemas/events.ts';
import { MEDIA_SCHEMAS } from './http/schemas/media.ts';
import { IMPORT_SCHEMAS } from './http/schemas/imports.ts';
import { COMPAT_SCHEMAS } from './http/schemas/compat.ts';
import { JOB_SCHEMAS } from './http/schemas/jobs.ts';
import { WEBHOOK_SCHEMAS } from './http/schemas/webhooks.ts';
import { UPLOAD_SCHEMAS } from './http/schemas/uploads.ts';
import { RUN_SCHEMAS } from './http/schemas/runs.ts';
import { SCENE_SCHEMAS } from './http/schemas/scenes.ts';
import { SEARCH_SCHEMAS } from './http/schemas/search.ts';
import { TIMING, type Timing, registerPatience } from './http/timing.ts';
import { addSchemas, createValidatorCompiler } from './http/validation.ts';
import type { Metrics } from './metrics.ts';

export interface AppDeps extends RouteDeps {
  config: Config;
  /** The secret of HS256 tokens, if there is one. */
  jwtSecret: string | undefined;
  allMetrics: Metrics;
  version: string;
  /** How long connections may keep the service waiting; tests are less patient. */
  timing?: Timing;
}

/** Builds the service without listening; tests inject into the same app. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { config, timing = TIMING } = deps;
  const app = Fastify({
    loggerInstance: deps.log,
    genReqId: requestId,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: config.MAX_JSON_BYTES,
    connectionTimeout: timing.idleMs,
    requestTimeout: config.REQUEST_TIMEOUT_SECONDS * 1000,
    keepAliveTimeout: 72_000,
    http: {
      headersTimeout: timing.headersMs,
      connectionsCheckingInterval: timing.checkMs,
      maxHeaderSize: 32 * 1024,
    },
    clientErrorHandler: answerClientError,
    trustProxy: config.TRUSTED_PROXIES.length > 0 ? [...config.TRUSTED_PROXIES] : false,
    routerOptions: { maxParamLength: 2500 },
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    frameworkErrors: sendFrameworkError,
  }) as unknown as FastifyInstance;

  const shared = [
    Problem,
    ...MEDIA_SCHEMAS,
    ...SEARCH_SCHEMAS,
    ...DELIVERY_SCHEMAS,
    ...UPLOAD_SCHEMAS,
    ...SCENE_SCHEMAS,
    ...RUN_SCHEMAS,
    ...IMPORT_SCHEMAS,
    ...COMPAT_SCHEMAS,
    ...JOB_SCHEMAS,
    ...WEBHOOK_SCHEMAS,
    ...EVENT_SCHEMAS,
    ...OPERATIONS_SCHEMAS,
  ];
  closeOnlyIdleConnections(app.server);
  addSchemas(app, shared);
  app.setValidatorCompiler(createValidatorCompiler(shared));
  registerErrorHandler(app);
  trackHandlers(app);
  registerLogging(app, deps.allMetrics.request);
  const jsonMemory = createJsonMemory(config.JSON_MEMORY_BYTES);
  deps.allMetrics.watchJsonBodies(() => jsonMemory.held());
  registerJsonParser(app, { maxBytes: config.MAX_JSON_BYTES, memory: jsonMemory, rate: timing.bodyRate });
  registerStreamParser(app);
  registerPatience(app, timing.idleMs);
  await registerOpenapi(app, deps.version, deps.publicBaseUrl);
  registerSecurityHeaders(app);
  if (config.CORS_ORIGINS.length > 0) {
    await app.register(fastifyCors, {
      origin: config.CORS_ORIGINS.includes('*') ? '*' : [...config.CORS_ORIGINS],
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: [
        'location',
        'etag',
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
  registerAuth(app, {
    jwtSecret: deps.jwtSecret,
    jwksUrl: config.JWT_JWKS_URL,
    issuer: config.JWT_ISSUER,
    audience: config.JWT_AUDIENCE,
  });
  if (config.RATE_LIMIT_MAX > 0) {
    await app.register(fastifyRateLimit, {
      max: config.RATE_LIMIT_MAX,
      timeWindow: 60_000,
      hook: 'preParsing',
      keyGenerator: (request) => request.caller?.sub ?? request.ip,
      errorResponseBuilder: (_request, context) =>
        new AppError('rate_limited', `Too many requests: at most ${context.max} a minute.`, {
          retryAfter: Math.ceil(context.ttl / 1000),
        }),
    });
  }
  await app.register(fastifyMultipart, { throwFileSizeLimit: false });
  registerQueryGuard(app);

  await app.register(async (routes) => {
    mediaRoutes(routes, { ...deps, bodyRate: timing.bodyRate });
    batchRoutes(routes, deps);
    searchRoutes(routes, deps);
    deliveryRoutes(routes, deps);
    await importRoutes(routes, { ...deps, maxJsonBytes: config.MAX_JSON_BYTES });
    jobRoutes(routes, deps);
    compatImageRoutes(routes, deps);
    compatRunRoutes(routes, deps);
    await webhookRoutes(routes, { ...deps, maxJsonBytes: config.MAX_JSON_BYTES });
    workflowRoutes(routes, deps);
    runRoutes(routes, { ...deps, bodyRate: timing.bodyRate });
    sceneRoutes(routes, { ...deps, bodyRate: timing.bodyRate });
    uploadRoutes(routes, { ...deps, bodyRate: timing.bodyRate });
    eventRoutes(routes, new EventStreams(deps, timing.events));
    operationsRoutes(routes, deps, deps.allMetrics);
  });
  return app;
}

/** A raw body is handed on as the stream that it is. */
function registerStreamParser(app: FastifyInstance): void {
  app.addContentTypeParser(/^((image|audio|video|model)\/|application\/octet-stream)/i, (_request, payload, done) =>
    done(null, payload),
  );
}
