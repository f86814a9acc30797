import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { buildApp } from '../app.ts';
import { repeatWith } from '../background/repeat.ts';
import { closeOnSignal } from './close-on-signal.ts';
import { type Config, ConfigError, loadConfig } from '../config/load-config.ts';
import { codeOf } from '../errors.ts';
import { freePort } from '../db/embedded/free-port.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { Output } from '../telemetry/output.ts';
import { createService } from './compose.ts';
import { resolveJwtSecret } from './jwt-secret.ts';
import { startMetricsServer } from './metrics-server.ts';
import { mintToken } from './mint-token.ts';
import { openConfiguredDatabase } from './open-database.ts';
import { watchStores } from '../storage/stores/health-monitor.ts';
import { startWorker } from '../workers/worker.ts';

export interface Program {
  version: string;
  /** For the log, and in development for what a person reads. */
  output: Output;
}

/** Starts the service with the settings of `env` and serves until a signal arrives. @throws ConfigError, or why it could not start */
export async function start(env: NodeJS.ProcessEnv, program: Program): Promise<void> {
  const settings = loadConfig(env);
  // A port that is taken is told before anything is made. URLs in responses contain the port, so one is chosen for 0 now.
  const config = { ...settings, PORT: await usablePort(settings) };
  const log = createLogger(config.LOG_LEVEL, program.output);
  const jwt = await resolveJwtSecret(config);
  const database = await openConfiguredDatabase(config, log);
  try {
    await serve(config, { ...program, log, jwt, database });
  } catch (error) {
    await database.stop();
    throw error;
  }
}

interface Started extends Program {
  log: Logger;
  jwt: Awaited<ReturnType<typeof resolveJwtSecret>>;
  database: Awaited<ReturnType<typeof openConfiguredDatabase>>;
}

async function serve(config: Config, { version, output, log, jwt, database }: Started): Promise<void> {
  const { secret, madeUp } = jwt;
  const service = await createService(config, {
    connectionString: database.connectionString,
    jwtSecret: secret,
    log,
    version,
  });
  const { deps } = service;
  const app = await buildApp(service.appDeps);
  const worker =
    config.WORKER_CONCURRENCY > 0
      ? startWorker(deps, {
          connectionString: database.connectionString,
          concurrency: config.WORKER_CONCURRENCY,
        })
      : undefined;

  const monitor = watchStores(deps.stores, log, repeatWith(deps.background));

  const grace = config.SHUTDOWN_GRACE_SECONDS * 1000;
  const delay = config.SHUTDOWN_DELAY_SECONDS * 1000;
  let metricsServer: Server | undefined;
  closeOnSignal(
    { delay: delay + grace + 10_000, log, uncaught: service.appDeps.allMetrics.uncaught },
    async ({ signal, err }) => {
      if (err) log.fatal({ err }, 'closing after an uncaught error');
      else if (delay > 0) {
        log.info({ signal }, `closing in ${config.SHUTDOWN_DELAY_SECONDS} s; readiness is red until then`);
        app.announceClosing();
        await sleep(delay);
      }
      log.info({ signal }, 'closing: no new requests; running ones may finish');
      const cut = setTimeout(() => {
        log.warn(`requests still run after ${config.SHUTDOWN_GRACE_SECONDS} s; cutting their connections`);
        app.server.closeAllConnections();
      }, grace);
      // A connection that was busy when the server closed would be kept alive after its response.
      const idle = setInterval(() => app.server.closeIdleConnections(), 50);
      await app.close();
      clearInterval(idle);
      clearTimeout(cut);
      await app.handlersEnded();
      metricsServer?.close();
      metricsServer?.closeAllConnections();
      monitor.stop();
      await worker?.stop();
      await service.close();
      await database.stop();
      log.info('closed');
    },
  );
  try {
    if (config.METRICS_PORT !== undefined)
      metricsServer = await startMetricsServer({
        host: config.HOST,
        port: config.METRICS_PORT,
        token: config.METRICS_TOKEN,
        metrics: service.appDeps.allMetrics,
      }).catch((error: unknown) => {
        throw listenProblem(error, { HOST: config.HOST, PORT: config.METRICS_PORT ?? 0 }, 'METRICS_PORT');
      });
    await app.listen({ host: config.HOST, port: config.PORT });
  } catch (error) {
    metricsServer?.close();
    // The app's periodic queries end before the database closes.
    await app.close();
    monitor.stop();
    await worker?.stop();
    await service.close();
    throw listenProblem(error, config);
  }
  greet({ config, version, output, log, baseUrl: deps.publicBaseUrl, developmentSecret: madeUp ? secret : undefined });
}

async function usablePort(settings: Config): Promise<number> {
  try {
    return await freePort(settings.HOST, settings.PORT);
  } catch (error) {
    throw listenProblem(error, settings);
  }
}

function listenProblem(error: unknown, { HOST, PORT }: Pick<Config, 'HOST' | 'PORT'>, setting = 'PORT'): unknown {
  const code = codeOf(error);
  if (code === 'EADDRINUSE')
    return new ConfigError([
      `${setting}: ${PORT} is in use on ${HOST} by another program; allowed: a free port, or 0 for any`,
    ]);
  if (code === 'EACCES')
    return new ConfigError([`${setting}: this user may not listen on ${PORT}; allowed: a port from 1024 on`]);
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new ConfigError([
      `HOST: "${HOST}" is no address of this machine; allowed: 127.0.0.1, 0.0.0.0 or one of its own`,
    ]);
  return error;
}

/** A picture of one pixel, so that the first command needs no file. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const TOKEN_SECONDS = 30 * 24 * 3600;

interface Greeting extends Program {
  config: Config;
  log: Logger;
  baseUrl: string;
  developmentSecret: string | undefined;
}

/** Tells the service's URL: in production in the log, in development as text, with how to try it. */
function greet({ config, version, output, log, baseUrl, developmentSecret }: Greeting): void {
  if (config.PUBLIC_BASE_URL === undefined && !isLoopback(config.HOST))
    log.warn(
      `PUBLIC_BASE_URL is not set: URLs in answers begin with ${baseUrl}, which callers on other machines cannot reach; set it to the address at which they reach this service`,
    );
  if (config.production) {
    log.info({ version, url: baseUrl }, `mediakeep ${version} listens on ${baseUrl}`);
    return;
  }
  const lines = ['', `mediakeep ${version} listens on ${baseUrl}`, `  API reference   ${baseUrl}/docs`];
  if (config.DATABASE_URL === undefined) lines.push(`  database        embedded PostgreSQL in ${config.DATA_DIR}`);
  if (developmentSecret !== undefined) {
    const { token } = mintToken(developmentSecret, {
      sub: 'dev',
      scope: 'media:read media:write media:admin',
      ttl: TOKEN_SECONDS,
      issuer: config.JWT_ISSUER,
      audience: config.JWT_AUDIENCE,
    });
    lines.push('', 'Development token (30 days, all scopes):', '', token, '', 'Store a first picture:', '');
    lines.push(
      `curl -sS ${baseUrl}/v1/media -H 'content-type: application/json' -H 'authorization: Bearer ${token}' -d '{"userId":"dev","prompt":"a first pixel","source":{"type":"base64","data":"${PIXEL}"}}'`,
    );
  }
  output.write(`${lines.join('\n')}\n\n`);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
