// Case numbers in titles are those of the table in docs/threat-model.md.
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { ingest } from '../../src/domain/ingest/ingest.ts';
import { chunked } from '../support/bodies.ts';
import { filesBelow } from '../support/storage/local-volume.ts';
import { png } from '../support/sample-files.ts';
import { type TestApp, asUser, createTestApp } from '../support/test-app.ts';

let t: TestApp;
let admin: pg.Client;
let throughProxy: Database;
/** Both ends of each connection through the proxy. */
const connections: [Socket, Socket][] = [];
const proxy = createServer((socket) => {
  const { hostname, port } = new URL(t.connectionString);
  const server = connect(Number(port), hostname);
  socket.pipe(server).pipe(socket);
  socket.on('error', () => {});
  server.on('error', () => {});
  connections.push([socket, server]);
});

beforeAll(async () => {
  t = await createTestApp();
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const url = new URL(t.connectionString);
  url.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  // The server's socket would bypass the proxy.
  url.searchParams.delete('host');
  throughProxy = openDatabase({ connectionString: url.href, poolMax: 3, statementTimeoutMs: 30_000 });
  admin = new pg.Client({ connectionString: t.connectionString });
  await admin.connect();
  // Runs at COMMIT, and keeps it open for as long as `admin` has the lock.
  await admin.query(`
    CREATE TABLE verdict (fails boolean);
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock(104);
      IF EXISTS (SELECT FROM verdict WHERE fails) THEN RAISE EXCEPTION 'refused at COMMIT'; END IF;
      RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON generated_images DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION hold()`);
});
afterAll(async () => {
  await admin.end();
  await throughProxy.close();
  for (const ends of connections) for (const end of ends) end.destroy();
  proxy.close();
  await t.close();
});

const waitingFor = async (events: string) =>
  (
    await admin.query('SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = ANY($1)', [
      events.split(' '),
    ])
  ).rowCount;
const committing = () => waitingFor('advisory');
const holdCommits = () => admin.query('SELECT pg_advisory_lock(104)');
const letCommitsGo = () => admin.query('SELECT pg_advisory_unlock(104)');
const locations = () => t.deps.db.selectFrom('media_locations').select(['media_id', 'key']).execute();
const intents = () => t.deps.db.selectFrom('storage_intents').select('key').execute();

/** Sends an upload and cuts the service's side of its connections during the COMMIT. */
async function uploadWithLostAnswer(file: Buffer): Promise<void> {
  await holdCommits();
  const uploading = ingest(
    { ...t.deps, db: throughProxy.db },
    {
      caller: { sub: 'a', scopes: new Set(['media:write']) },
      input: {},
      source: { type: 'bytes', via: 'raw', body: chunked(file) },
    },
  );
  const outcome = uploading.then(
    () => 'stored',
    () => 'failed',
  );
  await expect.poll(committing).toBe(1);
  for (const [socket, server] of connections.splice(0)) {
    // The server's end stays open, so that it notices only when it answers.
    socket.unpipe(server);
    server.unpipe(socket);
    socket.destroy();
    server.resume();
  }
  // The service checks the upload's outcome, and must wait until it is decided.
  await expect.poll(() => waitingFor('transactionid tuple')).toBe(1);
  await letCommitsGo();
  expect(await outcome).toBe('failed');
}

test('case 97: an upload whose COMMIT succeeds although its answer is lost keeps its row and its bytes', async () => {
  const file = png(1, 1, 1);
  await uploadWithLostAnswer(file);
  await expect.poll(async () => (await locations()).length, { timeout: 5000 }).toBe(1);
  const [row] = await locations();
  const response = await t.app.inject({ url: `/v1/media/${row?.media_id}/content`, headers: asUser('a') });
  expect(response.rawPayload.equals(file)).toBe(true);
  expect(await intents()).toEqual([]);
});

test('case 97: an upload whose COMMIT fails, its answer lost, leaves neither a row nor bytes', async () => {
  const before = await filesBelow(t.volume);
  await admin.query('INSERT INTO verdict VALUES (true)');
  await uploadWithLostAnswer(png(1, 1, 2));
  await expect.poll(intents).toEqual([]);
  expect(await locations()).toHaveLength(before.length);
  expect(await filesBelow(t.volume)).toEqual(before);
});

test('a connection that the database resets during an upload is reported as a database failure that may be retried', async () => {
  await admin.query('DELETE FROM verdict');
  const url = new URL(t.connectionString);
  url.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  url.searchParams.delete('host');
  const service = await createTestApp({ DATABASE_URL: url.href, LOCAL_ROOT: t.volume });
  try {
    const headers = { ...asUser('a'), 'content-type': 'image/png' };
    const request = { method: 'POST', url: '/v1/media', headers, payload: png(1, 1, 3) } as const;
    await holdCommits();
    const answer = service.app.inject(request).then((response) => response);
    await expect.poll(committing).toBe(1);
    for (const [socket] of connections.splice(0)) socket.resetAndDestroy();
    await letCommitsGo();
    expect((await answer).json()).toMatchObject({ status: 503, code: 'database_unavailable' });
    expect((await answer).headers['retry-after']).toBeDefined();
  } finally {
    await service.close();
  }
});
