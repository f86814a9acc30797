import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { FastifyInstance } from 'fastify';
import { createSigner } from 'fast-jwt';
import { type AppDeps, buildApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { RouteDeps } from '../../src/http/route-deps.ts';
import { TIMING } from '../../src/http/connections/timing.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createService } from '../../src/process/compose.ts';
import { DRIVERS, type DriverKind } from '../../src/storage/stores/registry.ts';
import { createTestDatabase } from './database/test-database.ts';

export const JWT_SECRET = 'test-secret-test-secret-test-secret-0123';

export interface TestApp {
  app: FastifyInstance;
  deps: RouteDeps;
  connectionString: string;
  /** The local volume. */
  volume: string;
  /** Everything that was logged, as text. */
  logged(): string;
  /** Listens on a free port; returns the URL without a trailing slash. Only once. */
  listen(): Promise<string>;
  close(): Promise<void>;
}

/** The whole service on a separate database and folder, or on another's database if `env`, the settings, names it. */
export async function createTestApp(
  env: Record<string, string> = {},
  replaced: Partial<AppDeps> = {},
  drivers: Readonly<Record<string, DriverKind>> = DRIVERS,
): Promise<TestApp> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-app-'));
  const { DATABASE_URL: shared } = env;
  const database =
    shared === undefined ? await createTestDatabase() : { connectionString: shared, drop: async () => {} };
  const settings = {
    JWT_SECRET,
    DATA_DIR: folder,
    DATABASE_URL: database.connectionString,
    PUBLIC_BASE_URL: 'http://media.test',
    AUTO_MIGRATE: 'false',
    DATABASE_POOL_MAX: '5',
    ...env,
  };
  const config = loadConfig(settings, drivers);
  const lines: string[] = [];
  const log = createLogger('debug', { write: (line: string) => void lines.push(line) });
  const service = await createService(config, {
    connectionString: database.connectionString,
    jwtSecret: config.JWT_SECRET,
    log,
    version: '0.0.0-test',
  });
  // Loading and transforming modules blocks the event loop of a test for seconds, which is no load on the service.
  const timing = { ...TIMING, ...replaced.timing, maxLagMs: 0 };
  const app = await buildApp({ ...service.appDeps, ...replaced, timing });
  await app.ready();
  return {
    app,
    deps: service.deps,
    connectionString: database.connectionString,
    volume: path.join(folder, 'volume'),
    logged: () => lines.join(''),
    async listen() {
      await app.listen({ host: '127.0.0.1', port: 0 });
      return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    },
    async close() {
      await app.close();
      await service.close();
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Signs the given claims with the test secret; valid for an hour unless `exp` says otherwise. */
export function token(claims: Record<string, unknown>): string {
  const now = Math.floor(Date.now() / 1000);
  return createSigner({ key: JWT_SECRET })({ exp: now + 3600, ...claims });
}

const bearer = (claims: Record<string, unknown>) => ({ authorization: `Bearer ${token(claims)}` });
/** A user's token with both scopes. */
export const asUser = (sub: string, scope = 'media:read media:write') => bearer({ sub, scope });
/** A service's token. */
export const asAdmin = () => bearer({ sub: 'service', scope: 'media:admin' });
