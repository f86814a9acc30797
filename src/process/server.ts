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
import { greet } from './greeting.ts';
import { resolveJwtSecret } from './jwt-secret.ts';
import { startMetricsServer } from './metrics-server.ts';
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
  const { HOST, METRICS_PORT } = settings;
  if (METRICS_PORT !== undefined) await usablePort({ HOST, PORT: METRICS_PORT }, 'METRICS_PORT');
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

async function usablePort(place: Pick<Config, 'HOST' | 'PORT'>, setting = 'PORT'): Promise<number> {
  try {
    return await freePort(place.HOST, place.PORT);
  } catch (error) {
    throw listenProblem(error, place, setting);
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
