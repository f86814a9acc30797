import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../src/db/database.ts';
import { createDatabaseDriver } from '../../../src/storage/database/database-driver.ts';
import { breaking, chunked, readAll } from '../../support/bodies.ts';
import { createDriverContext } from '../../support/storage/driver-context.ts';
import { type TestDatabase, createTestDatabase } from '../../support/database/test-database.ts';
import { driverContract } from '../driver-contract.ts';

async function open(): Promise<{ database: TestDatabase; pool: Database; close(): Promise<void> }> {
  const database = await createTestDatabase();
  const pool = openDatabase({ connectionString: database.connectionString, poolMax: 4, statementTimeoutMs: 30_000 });
  return {
    database,
    pool,
    close: async () => {
      await pool.close();
      await database.drop();
    },
  };
}

// 300 MiB are tried below, with their memory.
driverContract('database', { range: true, list: true, largeMiB: 20 }, async () => {
  const { pool, close } = await open();
  return {
    driver: createDatabaseDriver(createDriverContext('database', pool.db)),
    everything: async (prefix) => {
      const { rows } = await sql<{ key: string }>`
        SELECT key FROM stored_blobs WHERE starts_with(key, ${`${prefix}/`})
        UNION ALL SELECT key || ' (unfinished)' FROM stored_blob_writes WHERE starts_with(key, ${`${prefix}/`}) AND replaced_at IS NULL
        UNION ALL SELECT 'chunk of nothing ' || blob_id FROM stored_blob_chunks c
          WHERE NOT EXISTS (SELECT FROM stored_blobs b WHERE b.blob_id = c.blob_id)
          AND NOT EXISTS (SELECT FROM stored_blob_writes w WHERE w.blob_id = c.blob_id)`.execute(pool.db);
      return rows.map((row) => row.key).toSorted();
    },
    close,
  };
});

let d: Awaited<ReturnType<typeof open>>;
beforeAll(async () => {
  d = await open();
});
afterAll(() => d.close());

const driverOf = (store: string) => createDatabaseDriver(createDriverContext(store, d.pool.db));
const chunks = async () =>
  (await sql<{ count: number }>`SELECT count(*)::integer AS count FROM stored_blob_chunks`.execute(d.pool.db)).rows[0]
    ?.count;
const MIB = 1024 ** 2;

test('two stores in one database do not see each other', async () => {
  const [one, two] = [driverOf('database'), driverOf('archive')];
  await one.put('twin/a.png', chunked(Buffer.from('one')), { contentType: 'image/png' });
  await two.put('twin/a.png', chunked(Buffer.from('two')), { contentType: 'image/png' });
  await one.delete('twin/a.png');
  expect(await one.stat('twin/a.png')).toBeUndefined();
  const found = await two.get('twin/a.png');
  expect(found && String(await readAll(found.stream))).toBe('two');
  await two.delete('twin/a.png');
  expect(await chunks()).toBe(0);
});

test('deleting a key ends a running write to it, and leaves none of its chunks', async () => {
  const driver = driverOf('database');
  let arrived = () => {};
  const half = new Promise<void>((resolve) => (arrived = resolve));
  let goOn = () => {};
  const deleted = new Promise<void>((resolve) => (goOn = resolve));
  async function* body() {
    yield randomBytes(2 * MIB);
    arrived();
    await deleted;
    yield randomBytes(2 * MIB);
  }
  const put = driver.put('cut/a.bin', body(), { contentType: 'video/mp4' });
  put.catch(() => {});
  await half;
  await driver.delete('cut/a.bin');
  goOn();
  await expect(put).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await driver.stat('cut/a.bin')).toBeUndefined();
  expect(await chunks()).toBe(0);
});

test('deleting a key ends a running write to it without reading the rest of the body', async () => {
  const driver = driverOf('database');
  let sent = 0;
  async function* body() {
    for (; sent < 100; sent += 1) {
      if (sent === 2) await driver.delete('cut/b.bin');
      yield randomBytes(MIB);
    }
  }
  const put = driver.put('cut/b.bin', body(), { contentType: 'video/mp4' });
  await expect(put).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(sent).toBeLessThan(10);
});

test('deleting a key removes what a killed process left of a write', async () => {
  const driver = driverOf('database');
  await sql`INSERT INTO stored_blob_writes (blob_id, store, key) VALUES ('6f1d3c1e-0000-4000-8000-000000000001', 'database', 'left/a.bin')`.execute(
    d.pool.db,
  );
  await sql`INSERT INTO stored_blob_chunks VALUES ('6f1d3c1e-0000-4000-8000-000000000001', 0, 'abc')`.execute(
    d.pool.db,
  );
  expect(await driver.get('left/a.bin')).toBeUndefined();
  await driver.delete('left/a.bin');
  expect(await chunks()).toBe(0);
});

test('a reader that began before an overwrite reads the old bytes to their end', async () => {
  const driver = driverOf('database');
  const [old, fresh] = [randomBytes(5 * MIB), randomBytes(3 * MIB)];
  await driver.put('over/a.json', chunked(old), { contentType: 'application/json', overwrite: true });
  const found = await driver.get('over/a.json');
  await driver.put('over/a.json', chunked(fresh), { contentType: 'application/json', overwrite: true });
  expect(found && (await readAll(found.stream)).equals(old)).toBe(true);
  await sql`UPDATE stored_blob_writes SET replaced_at = now() - interval '11 minutes'`.execute(d.pool.db);
  await driver.put('over/a.json', chunked(fresh), { contentType: 'application/json', overwrite: true });
  await sql`UPDATE stored_blob_writes SET replaced_at = now() - interval '11 minutes'`.execute(d.pool.db);
  await driver.put('over/a.json', chunked(fresh), { contentType: 'application/json', overwrite: true });
  expect(await chunks()).toBe(12);
  await driver.delete('over/a.json');
  expect(await chunks()).toBe(0);
});

test('no connection is held between two chunks, however slow the reader or writer', async () => {
  const one = openDatabase({ connectionString: d.database.connectionString, poolMax: 1, statementTimeoutMs: 30_000 });
  try {
    const driver = createDatabaseDriver(createDriverContext('database', one.db));
    async function* slow() {
      for (let count = 0; count < 4; count += 1) {
        yield randomBytes(MIB);
        await sleep(20);
      }
    }
    const keys = Array.from({ length: 20 }, (_value, index) => `slow/${index}`);
    await Promise.all(keys.map((key) => driver.put(key, slow(), { contentType: 'video/mp4' })));
    const reads = await Promise.all(keys.map((key) => driver.get(key)));
    await sql`SELECT 1`.execute(one.db);
    for (const read of reads) expect(read && (await readAll(read.stream)).length).toBe(4 * MIB);
    await Promise.all(keys.map((key) => driver.delete(key)));
  } finally {
    await one.close();
  }
});

test('300 MiB are written and read with flat memory', { timeout: 120_000 }, async () => {
  const driver = driverOf('database');
  const block = randomBytes(MIB);
  // Of whatever else this process holds.
  const before = process.memoryUsage().arrayBuffers;
  const peak = { bytes: 0 };
  const sample = () => (peak.bytes = Math.max(peak.bytes, process.memoryUsage().arrayBuffers));
  async function* body() {
    for (let count = 0; count < 300; count += 1) {
      sample();
      yield block;
    }
  }
  await driver.put('flat/a.bin', body(), { contentType: 'video/mp4', size: 300 * MIB });
  let bytes = 0;
  for await (const chunk of (await driver.get('flat/a.bin'))?.stream ?? []) {
    sample();
    bytes += (chunk as Buffer).length;
  }
  expect(bytes).toBe(300 * MIB);
  // Includes buffers that wait for garbage collection, of which there are more the busier the machine is; a body held whole has 300 MiB.
  expect(peak.bytes - before).toBeLessThan(240 * MIB);
  await driver.delete('flat/a.bin');
});

test('an unavailable database is an unavailable store', async () => {
  const gone = openDatabase({
    connectionString: 'postgres://nobody@127.0.0.1:1/none',
    poolMax: 1,
    statementTimeoutMs: 1000,
  });
  try {
    const driver = createDatabaseDriver(createDriverContext('database', gone.db));
    await expect(driver.healthy()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(driver.get('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(driver.put('a', breaking(randomBytes(3)), { contentType: 'image/png' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
  } finally {
    await gone.close();
  }
});

test('an object that is removed between its look-up and its first byte is missing, which a caller can act upon', async () => {
  const driver = driverOf('gone');
  await driver.put('a.png', chunked(Buffer.from('bytes')), { contentType: 'image/png' });
  // As after a delete by another process at that moment.
  await sql`DELETE FROM stored_blob_chunks USING stored_blobs b
    WHERE b.blob_id = stored_blob_chunks.blob_id AND b.store = 'gone'`.execute(d.pool.db);
  expect(await driver.get('a.png')).toBeUndefined();
});
