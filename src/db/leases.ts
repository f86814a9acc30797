import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Db } from './database.ts';

/** A right that this process has until its time runs out or it gives it back. */
export interface HeldLease {
  /** Extends it by its full time; false when another has it by now. */
  renew(): Promise<boolean>;
  release(): Promise<void>;
}

/**
 * Takes the lease `name` for `seconds` of database time, which all replicas share; undefined when somebody has it. No
 * connection is held meanwhile, unlike with an advisory lock, and a holder that dies frees it by its time running out.
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
      // Also when its time has run out: nobody has taken it over, so nobody else has been at work.
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
