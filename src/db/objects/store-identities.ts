import type { Db } from '../database.ts';

/** The identity (a volume's UUID) that was registered for a store, if any. */
export async function registeredIdentity(db: Db, store: string): Promise<string | undefined> {
  const row = await db.selectFrom('store_identities').select('identity').where('store', '=', store).executeTakeFirst();
  return row?.identity;
}

/** Registers `identity` unless one is registered already; returns the registered one. */
export async function registerIdentity(db: Db, store: string, identity: string): Promise<string> {
  await db
    .insertInto('store_identities')
    .values({ store, identity })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return (await registeredIdentity(db, store)) ?? identity;
}
