import { readFile } from 'node:fs/promises';
import pg from 'pg';

/** A database as an earlier version left it; see the first line of each file in `dumps/`. */
export type Dump = 'seed' | 'four' | 'eleven';

/** Loads the dump into an empty database. On a connection that ends: the dump changes settings of its session. */
export async function loadDump(connectionString: string, dump: Dump): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(await readFile(new URL(`dumps/${dump}.sql`, import.meta.url), 'utf8'));
  } finally {
    await client.end();
  }
}
