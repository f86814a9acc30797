import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import { BackgroundParts } from '../../../src/background/parts.ts';
import { repeatWith } from '../../../src/background/repeat.ts';
import { takeLease } from '../../../src/db/leases.ts';
import type { Db } from '../../../src/db/database.ts';
import type { DriverContext } from '../../../src/storage/driver.ts';

/** For drivers that do not use the database. */
const nowhere = () =>
  new Kysely<unknown>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });

/** The context of a driver; identities are kept here, leases and statements need a database. */
export function createDriverContext(store: string, db?: Db): DriverContext {
  let identity: string | undefined;
  return {
    store,
    registeredIdentity: async () => identity,
    registerIdentity: async (wanted) => (identity ??= wanted),
    lease: async (name, seconds) => {
      if (!db) throw new Error('this test lends its driver no database');
      return takeLease(db, `${store}:${name}`, seconds);
    },
    executor: db ?? nowhere(),
    repeat: repeatWith(new BackgroundParts({ warn: () => {}, info: () => {} })),
    log: () => {},
  };
}
