import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Db } from './database.ts';

/** A named lock that this process holds until it expires or is released. */
export interface HeldLease {
  /** Extends it by its full time; false when another process has taken it. */
  renew(): Promise<boolean>;
  release(): Promise<void>;
}

/**
 * Takes the lease `name` for `seconds` of database time, which all replicas share; undefined when it is taken. Unlike an advisory
 * lock it holds no connection, and a crashed holder's lease expires.
 */
export async function takeLease(db: Db, name: string, seconds: number): Promise<HeldLease | undefined> {
  const holder = randomUUID();
  const until = sql<string>`clock_timestamp() + make_interval(secs => ${seconds})`;
  const taken = await db
    .insertInto('leases')
    .values({ name, holder, leased_until: until })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet({ holder, leased_until: until })
        .where('leases.leased_until', '<', sql<string>`clock_timestamp()`),
    )
    .returning('name')
    .executeTakeFirst();
  if (!taken) return undefined;
  return {
    async renew() {
      // Even if it has expired: as no other process took it over, none has done its work.
      const renewed = await db
        .updateTable('leases')
        .set({ leased_until: until })
        .where('name', '=', name)
        .where('holder', '=', holder)
        .executeTakeFirst();
      return renewed.numUpdatedRows === 1n;
    },
    async release() {
      await db.deleteFrom('leases').where('name', '=', name).where('holder', '=', holder).execute();
    },
  };
}
