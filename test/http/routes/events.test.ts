import { Kysely, PostgresDialect, sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { forgetEvents, numberEvents, readEventLog, recordEvent } from '../../../src/db/events.ts';
import { type Db, openDatabase } from '../../../src/db/database.ts';
import { EventStreams } from '../../../src/domain/events/event-streams.ts';
import { TIMING } from '../../../src/http/connections/timing.ts';
import { type EventReader, followEvents } from '../../support/event-reader.ts';
import { png } from '../../support/sample-files.ts';
import { type TestApp, asAdmin, asUser, createTestApp, token } from '../../support/test-app.ts';

const timing = { ...TIMING, events: { pollMs: 20, idleMs: 100, heartbeatMs: 100 } };
let t: TestApp;
let other: TestApp;
let at: string;
let atOther: string;
const readers: EventReader[] = [];
beforeAll(async () => {
  t = await createTestApp({}, { timing });
  at = await t.listen();
  other = await createTestApp({ DATABASE_URL: t.connectionString, LOCAL_ROOT: t.volume }, { timing });
  atOther = await other.listen();
});
afterEach(() => {
  for (const reader of readers.splice(0)) reader.close();
});
afterAll(async () => {
  await other.close();
  await t.close();
});

let user: string;
let count = 0;
beforeEach(() => {
  user = `user-${(count += 1)}`;
});
const follow = async (
  options: Parameters<typeof followEvents>[2] = {},
  headers: Record<string, string> = asUser(user),
  address = at,
) => {
  const reader = await followEvents(address, headers, options);
  readers.push(reader);
  return reader;
};
const started = (reader: EventReader) => vi.waitFor(() => expect(reader.lastId()).toBeDefined(), 15_000);
const post = async (headers = asUser(user), payload: object = {}, app = t) => {
  const source = { type: 'base64', data: png(1, 1, 1).toString('base64') };
  const answer = await app.app.inject({ method: 'POST', url: '/v1/media', headers, payload: { source, ...payload } });
  expect(answer.statusCode).toBe(201);
  return answer.json();
};
const itemIds = (reader: EventReader) => reader.events().map((event) => event.data?.['itemId']);

describe('GET /v1/events', () => {
  test('reports stored items and failed generations', async () => {
    const reader = await follow();
    expect([reader.status, reader.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    await started(reader);
    const stored = await post(asUser(user), { provider: 'fal', jobId: 'j1' });
    const failed = await t.app.inject({
      method: 'POST',
      url: '/v1/media',
      headers: asUser(user),
      payload: { status: 'failed', error: 'out of memory' },
    });
    const [first, second] = await reader.until(2);
    expect(first).toMatchObject({
      id: expect.stringMatching(/^\d+$/),
      event: 'item.stored',
      data: {
        type: 'item.stored',
        itemId: stored.id,
        userId: user,
        status: 'success',
        provider: 'fal',
        jobId: 'j1',
        runId: null,
        at: expect.stringMatching(/Z$/),
      },
    });
    expect(second).toMatchObject({ event: 'item.failed', data: { itemId: failed.json().id, status: 'failed' } });
    expect(Number(second?.id)).toBeGreaterThan(Number(first?.id));
  });

  test('continues after Last-Event-ID, at another replica, too, and from the query', async () => {
    const reader = await follow();
    await started(reader);
    const first = await post();
    const [seen] = await reader.until(1);
    reader.close();
    const [second, third] = [await post(), await post(asUser(user), {}, other)];
    for (const options of [{ after: seen?.id }, { query: `?lastEventId=${seen?.id}` }]) {
      const resumed = await follow(options, asUser(user), atOther);
      await resumed.until(2);
      expect(itemIds(resumed)).toEqual([second.id, third.id]);
    }
    expect(itemIds(reader)).toEqual([first.id]);
  });

  test('an empty last id counts as none', async () => {
    const reader = await follow({ query: '?lastEventId=' });
    await started(reader);
    const item = await post();
    await reader.until(1);
    expect(itemIds(reader)).toEqual([item.id]);
  });

  test("sends a user only its own events, and a service all or one user's", async () => {
    const [mine, all, one] = [
      await follow(),
      await follow({}, asAdmin()),
      await follow({ query: `?userId=${user}` }, asAdmin(), atOther),
    ];
    await Promise.all([mine, all, one].map(started));
    const foreign = await post(asUser('somebody-else'));
    const own = await post();
    await Promise.all([mine.until(1), one.until(1), vi.waitFor(() => expect(itemIds(all)).toContain(own.id), 15_000)]);
    expect([itemIds(mine), itemIds(one)]).toEqual([[own.id], [own.id]]);
    expect(itemIds(all)).toEqual(expect.arrayContaining([foreign.id, own.id]));
    const refused = await t.app.inject({ url: '/v1/events?userId=somebody-else', headers: asUser(user) });
    expect(refused.json()).toMatchObject({ status: 403, code: 'user_mismatch' });
  });

  test('reports an item that has been purged since', async () => {
    const item = await post();
    await t.app.inject({ method: 'DELETE', url: `/v1/media/${item.id}?purge=true`, headers: asUser(user) });
    const reader = await follow({ after: '0' });
    await reader.until(1);
    expect(itemIds(reader)).toEqual([item.id]);
  });

  test('keeps the connection and the position alive while nothing happens', async () => {
    const reader = await follow();
    await vi.waitFor(() => expect(reader.blocks.filter((block) => block.comment).length).toBeGreaterThan(2), 15_000);
    await post(asUser('somebody-else'));
    const { last } = await vi.waitFor(async () => {
      const log = await readEventLog(t.deps.db);
      expect(reader.lastId()).toBe(String(log.last));
      return log;
    }, 15_000);
    expect([last > 0, reader.events()]).toEqual([true, []]);
  });

  test('ends when the token expires', async () => {
    const exp = Math.floor(Date.now() / 1000) + 2;
    const headers = { authorization: `Bearer ${token({ sub: user, scope: 'media:read', exp })}` };
    const reader = await follow({}, headers);
    await reader.ended;
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  });

  test('allows a subject 16 streams, and another one when one is closed', async () => {
    const open = [];
    for (let i = 0; i < 16; i++) open.push(await follow());
    const refused = await t.app.inject({ url: '/v1/events', headers: asUser(user) });
    expect(refused.json()).toMatchObject({ status: 429, code: 'rate_limited' });
    expect((await follow({}, asUser('somebody-else'))).status).toBe(200);
    open[0]?.close();
    await vi.waitFor(async () => expect((await follow()).status).toBe(200), 15_000);
  });
});

test('the event of a transaction that commits late is sent late, and no follower misses it', async () => {
  const reader = await follow();
  await started(reader);
  let commit = () => {};
  const waiting = new Promise<void>((resolve) => (commit = resolve));
  let wrote = () => {};
  const written = new Promise<void>((resolve) => (wrote = resolve));
  const late = t.deps.db.transaction().execute(async (trx) => {
    await recordEvent(trx, { kind: 'job.changed', userId: user, provider: 'fal', jobId: 'late' });
    wrote();
    await waiting;
  });
  await written;
  await post();
  const [early] = await reader.until(1);
  reader.close();
  commit();
  await late;
  const resumed = await follow({ after: early?.id });
  await resumed.until(1);
  expect(resumed.events()).toMatchObject([{ event: 'job.changed', data: { jobId: 'late', itemId: null } }]);
});

test('followers that come and go see every event of many writers exactly once and in one order', async () => {
  const writers = 8;
  const each = 25;
  const total = writers * each;
  const write = async (writer: number, db: TestApp) => {
    for (let n = 0; n < each; n++) {
      await db.deps.db.transaction().execute(async (trx) => {
        await recordEvent(trx, { kind: 'job.changed', userId: user, jobId: `${writer}-${n}` });
        // Keeps some transactions open over the commits of others.
        await sql`SELECT pg_sleep(${(writer * 7 + n * 3) % 10 === 0 ? 0.06 : 0.002})`.execute(trx);
      });
    }
  };
  const restless = async (addresses: string[]) => {
    const seen: string[] = [];
    let after = '0';
    for (let turn = 0; seen.length < total; turn++) {
      const reader = await followEvents(addresses[turn % addresses.length]!, asUser(user), { after });
      await reader.until(Math.min(1 + (turn % 9), total - seen.length));
      reader.close();
      await reader.ended.catch(() => {});
      seen.push(...reader.events().map((event) => String(event.data?.['jobId'])));
      after = reader.events().at(-1)?.id ?? after;
    }
    return seen;
  };
  const [first, second] = await Promise.all([
    restless([at, atOther]),
    restless([atOther]),
    ...Array.from({ length: writers }, (_, writer) => write(writer, writer % 2 === 0 ? t : other)),
  ]);
  expect(new Set(first).size).toBe(total);
  expect(first).toHaveLength(total);
  expect(second).toEqual(first);
}, 60_000);

describe('positions that are no longer kept', () => {
  test.each([['99999999999'], ['-1'], ['abc'], ['1e3'], ['9'.repeat(60)]])(
    'the last id %s is refused as not ours',
    async (after) => {
      const reader = await follow({ after });
      await reader.until(1);
      expect(reader.events()).toMatchObject([{ event: 'reset', data: { type: 'reset' } }]);
      const item = await post();
      await reader.until(2);
      expect(itemIds(reader)).toEqual([undefined, item.id]);
    },
  );

  test('an outdated id leads to a reset event, and the stream goes on', async () => {
    const own = await createTestApp({}, { timing: { ...timing, events: { ...timing.events, pollMs: 20 } } });
    const address = await own.listen();
    try {
      for (let n = 0; n < 3; n++) await post(asUser(user), {}, own);
      await vi.waitFor(async () => expect((await readEventLog(own.deps.db)).last).toBe(3), 15_000);
      await sql`UPDATE media_events SET numbered_at = now() - interval '2 days' WHERE position <= 2`.execute(
        own.deps.db,
      );
      expect(await forgetEvents(own.deps.db, 24 * 3600, 100)).toBe(2);
      expect(await readEventLog(own.deps.db)).toEqual({ last: 3, forgottenTo: 2 });
      const gap = await follow({ after: '1' }, asUser(user), address);
      await gap.until(1);
      expect(gap.events()).toMatchObject([{ event: 'reset', id: '3' }]);
      const none = await follow({ after: '2' }, asUser(user), address);
      await none.until(1);
      expect(none.events()).toMatchObject([{ event: 'item.stored', id: '3' }]);
    } finally {
      await own.close();
    }
  });
});

test('two concurrent numberings give every event one position, without gaps', async () => {
  const own = await createTestApp(
    {},
    { timing: { ...timing, events: { ...timing.events, pollMs: 1e8, idleMs: 1e8 } } },
  );
  try {
    const { db } = own.deps;
    await sql`INSERT INTO media_event_outbox (kind, user_id) SELECT 'job.changed', n::text FROM generate_series(1, 500) AS n`.execute(
      db,
    );
    while ((await readEventLog(db)).last < 500) await Promise.all(Array.from({ length: 4 }, () => numberEvents(db, 7)));
    const rows = await db.selectFrom('media_events').select(['position', 'user_id']).orderBy('position').execute();
    expect(rows.map((row) => Number(row.position))).toEqual(Array.from({ length: 500 }, (_, n) => n + 1));
    expect(rows.map((row) => row.user_id)).toEqual(rows.map((row) => row.position));
    expect(await numberEvents(db, 7)).toBe(0);
  } finally {
    await own.close();
  }
});

test('an upload neither notifies nor waits: its transaction leaves one row', async () => {
  const own = await createTestApp(
    {},
    { timing: { ...timing, events: { ...timing.events, pollMs: 1e8, idleMs: 1e8 } } },
  );
  try {
    const item = await post(asUser(user), {}, own);
    const rows = await own.deps.db.selectFrom('media_event_outbox').selectAll().execute();
    expect(rows).toMatchObject([{ kind: 'item.stored', media_id: item.id, user_id: user, status: 'success' }]);
    // While another process holds the log, numbering does not wait.
    await own.deps.db.transaction().execute(async (trx) => {
      await sql`SELECT FROM media_event_log FOR UPDATE`.execute(trx);
      expect(await numberEvents(own.deps.db, 10)).toBe(0);
      await post(asUser(user), {}, own);
    });
    expect(await numberEvents(own.deps.db, 10)).toBe(2);
  } finally {
    await own.close();
  }
});

test('an event is told at once and alone; only a quiet time is told as such', async () => {
  const told = async (heartbeatMs: number) => {
    const streams = new EventStreams(t.deps, { pollMs: 20, idleMs: 100, heartbeatMs });
    streams.start();
    const { told: stream, close } = await streams.follow({
      subject: user,
      userId: user,
      after: undefined,
      expires: undefined,
      signal: new AbortController().signal,
    });
    const next = async () => (await stream.next()).value?.type;
    return {
      next,
      async end() {
        close();
        streams.stop();
        await stream.return(undefined);
        await streams.settled();
      },
    };
  };
  const busy = await told(60_000);
  expect(await busy.next()).toBe('position');
  for (let round = 0; round < 3; round += 1) {
    const event = busy.next();
    await post();
    expect(await event).toBe('event');
  }
  await busy.end();
  const quiet = await told(50);
  expect([await quiet.next(), await quiet.next(), await quiet.next()]).toEqual(['position', 'position', 'position']);
  await quiet.end();
});

test('nothing further is read for a reader that does not read', async () => {
  const own = await createTestApp(
    {},
    { timing: { ...timing, events: { ...timing.events, pollMs: 1e8, idleMs: 1e8 } } },
  );
  const abort = new AbortController();
  try {
    const { db } = own.deps;
    await sql`INSERT INTO media_event_outbox (kind, user_id) SELECT 'job.changed', 'a' FROM generate_series(1, 1000)`.execute(
      db,
    );
    expect(await numberEvents(db, 1000)).toBe(1000);
    let reads = 0;
    const { pool } = openDatabase({ connectionString: own.connectionString, poolMax: 1, statementTimeoutMs: 0 });
    const counted: Db = new Kysely({ dialect: new PostgresDialect({ pool }), log: () => void (reads += 1) });
    const streams = new EventStreams(
      { db: counted, background: own.deps.background },
      { pollMs: 1e8, idleMs: 1e8, heartbeatMs: 5 },
    );
    const request = { subject: 'a', userId: 'a', after: '0', expires: undefined, signal: abort.signal };
    const { told } = await streams.follow(request);
    for (let n = 0; n < 50; n++) await told.next();
    const before = reads;
    await sql`SELECT pg_sleep(0.2)`.execute(db);
    expect([before, reads]).toEqual([2, 2]);
    let events = 49;
    for await (const part of told) {
      if (part.type === 'event') events += 1;
      if (events === 1000) break;
    }
    expect(reads).toBe(11);
    streams.stop();
    await counted.destroy();
  } finally {
    abort.abort();
    await own.close();
  }
});

test('closing ends the open streams at once, and their connections', async () => {
  const own = await createTestApp({}, { timing: { ...timing, events: { ...timing.events, heartbeatMs: 60_000 } } });
  const address = await own.listen();
  const open = await Promise.all(Array.from({ length: 5 }, () => followEvents(address, asUser(user))));
  await Promise.all(open.map(started));
  expect(open[0]?.headers.get('connection')).toBe('close');
  const since = performance.now();
  await Promise.all([own.close(), ...open.map((reader) => reader.ended)]);
  expect(performance.now() - since).toBeLessThan(5000);
});
