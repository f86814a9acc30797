import { openDatabase } from '../../../src/db/database.ts';
import type { Driver, DriverContext } from '../../../src/storage/driver.ts';
import { createGithubDriver } from '../../../src/storage/github/github-driver.ts';
import type { GithubOptions } from '../../../src/storage/github/options.ts';
import { createDriverContext } from '../storage/driver-context.ts';
import { type FakeGithub, TOKEN } from './fake-github.ts';
import { createTestDatabase } from '../database/test-database.ts';

/** Options of a driver for the fake, with minimal delays. */
export function githubOptions(
  fake: Pick<FakeGithub, 'apiUrl' | 'rawUrl'>,
  options: Partial<GithubOptions> = {},
): GithubOptions {
  return {
    repository: 'somebody/library',
    branch: 'main',
    directory: 'file-library',
    public: false,
    token: TOKEN,
    appId: undefined,
    appPrivateKey: undefined,
    installationId: undefined,
    apiUrl: fake.apiUrl,
    rawUrl: fake.rawUrl,
    maxObjectBytes: 25 * 1024 ** 2,
    batchWindowMs: 10,
    writesPerMinute: 0,
    ...options,
  };
}

/** Creates drivers for a fake, each as a separate process would have it; leases come from one real database. */
export interface GithubStores {
  open(fake: FakeGithub, options?: Partial<GithubOptions>, log?: DriverContext['log']): Promise<Driver>;
  connectionString: string;
  close(): Promise<void>;
}

export async function createGithubStores(): Promise<GithubStores> {
  const database = await createTestDatabase();
  const { db, close } = openDatabase({
    connectionString: database.connectionString,
    poolMax: 5,
    statementTimeoutMs: 10_000,
  });
  const drivers: Driver[] = [];
  return {
    connectionString: database.connectionString,
    async open(fake, options, log) {
      const context = { ...createDriverContext('github', db), ...(log && { log }) };
      const driver = await createGithubDriver(githubOptions(fake, options), context);
      drivers.push(driver);
      return driver;
    },
    async close() {
      for (const driver of drivers) await driver.close?.();
      await close();
      await database.drop();
    },
  };
}
