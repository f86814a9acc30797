import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { head, sendRaw } from '../../support/raw-http.ts';
import { JWT_SECRET, asAdmin, asUser, token } from '../../support/test-app.ts';
import { createSigner } from 'fast-jwt';
import { type Victim, calmest, startVictim, watched } from './watchdog.ts';

/** The service's limit for a head, and its check interval; some allowance for a busy machine. */
const HEAD_MS = 20_000 + 5000 + 5000;
let victim: Victim;
beforeAll(async () => {
  victim = await startVictim({ WORKER_CONCURRENCY: '0' });
});
afterAll(() => victim.close());
const guardedly = (work: () => Promise<unknown>) => () => calmest(watched(() => victim, work));

/** A connection and its outcome. */
async function connect(): Promise<{ socket: net.Socket; closed: Promise<string>; received: () => string }> {
  const { hostname, port } = new URL(victim.address);
  const socket = net.connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => {});
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  return { socket, closed, received: () => text };
}

const statusesIn = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));

const [header, payload] = token({ sub: 'alice', scope: 'media:admin' }).split('.') as [string, string];
const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const FORGED: readonly string[] = [
  ...['none', 'None', 'HS384', 'HS512', 'RS256', 'ES256', 'EdDSA', 'PS256', '', '__proto__'].map(
    (alg) => `${encoded({ alg, typ: 'JWT' })}.${payload}.${Buffer.from('x').toString('base64url')}`,
  ),
  ...['secret', 'x'.repeat(64), JWT_SECRET.slice(1), `${JWT_SECRET} `, JWT_SECRET.toUpperCase()].map((key) =>
    createSigner({ key })({ sub: 'alice', scope: 'media:admin', exp: Math.floor(Date.now() / 1000) + 3600 }),
  ),
  ...['', '.', '..', '...', 'null', 'undefined', '{}', 'a.b', 'a.b.c.d', 'x'.repeat(8000), `${'a.'.repeat(4000)}b`].map(
    (text) => text,
  ),
  `${header}.${payload}.`,
  `${header}..${payload}`,
  `${encoded({ alg: 'HS256', crit: ['b64'], b64: false })}.${payload}.x`,
  `${encoded({ alg: 'HS256', kid: '../../../dev/null' })}.${payload}.x`,
];

test(
  'thirty forged tokens, each sent a hundred times, are refused',
  guardedly(async () => {
    expect(FORGED.length).toBeGreaterThanOrEqual(30);
    const statuses = new Set<number>();
    for (let round = 0; round < 100; round += 1) {
      const answers = await Promise.all(
        FORGED.map((forged) => fetch(`${victim.address}/v1/media`, { headers: { authorization: `Bearer ${forged}` } })),
      );
      for (const answer of answers) {
        statuses.add(answer.status);
        expect(await answer.json()).toMatchObject({ status: 401, code: 'token_invalid' });
      }
    }
    expect([...statuses]).toEqual([401]);
  }),
);

test(
  'a hundred idle connections are closed in time, while others are served',
  guardedly(async () => {
    const silent = await Promise.all(Array.from({ length: 100 }, connect));
    expect((await fetch(`${victim.address}/v1/stats`, { headers: asUser('alice') })).status).toBe(200);
    const texts = await Promise.race([Promise.all(silent.map(({ closed }) => closed)), sleep(HEAD_MS)]);
    expect(texts, 'the connections are still open').toBeDefined();
    for (const text of texts ?? []) expect(statusesIn(text)).toEqual([408]);
  }),
);

test(
  'a hundred slow heads are ended with 408',
  guardedly(async () => {
    const slow = await Promise.all(Array.from({ length: 100 }, connect));
    const bytes = [...`GET /v1/media HTTP/1.1\r\nHost: a\r\nX-Slow: ${'x'.repeat(1000)}`];
    let over = false;
    const dripping = (async () => {
      for (const byte of bytes) {
        if (over) return;
        for (const { socket } of slow) if (!socket.destroyed) socket.write(byte);
        await sleep(200);
      }
    })();
    const texts = await Promise.race([Promise.all(slow.map(({ closed }) => closed)), sleep(HEAD_MS)]);
    over = true;
    await dripping;
    expect(texts, 'the connections are still open').toBeDefined();
    for (const text of texts ?? []) expect(statusesIn(text)).toEqual([408]);
  }),
);

test(
  'a thousand pipelined requests on one connection are answered in order',
  guardedly(async () => {
    const { authorization } = asUser('alice');
    const requests = Array.from({ length: 1000 }, (_value, index) =>
      index % 2 === 0
        ? 'GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n'
        : `GET /v1/media/${index} HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n\r\n`,
    );
    const { socket, received } = await connect();
    socket.write(requests.join(''));
    await expect.poll(() => statusesIn(received()).length, { timeout: 60_000 }).toBe(1000);
    expect(statusesIn(received())).toEqual(requests.map((_request, index) => (index % 2 === 0 ? 200 : 404)));
    socket.destroy();
  }),
);

test(
  'requests after a refused one are not taken for its body, nor its body for a request',
  guardedly(async () => {
    const smuggled = 'DELETE /v1/media/1 HTTP/1.1\r\nHost: a\r\n\r\n';
    const { closed } = await connect().then((connection) => {
      connection.socket.write(
        `POST /v1/media HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
      );
      connection.socket.write('GET /v1/nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      return connection;
    });
    const statuses = statusesIn(await closed);
    // The connection may be closed after the refusal; a response never answers what was in the body.
    expect([[401], [401, 404]]).toContainEqual(statuses);
  }),
);

test(
  'ten thousand headers are refused',
  guardedly(async () => {
    const headers = Array.from({ length: 10_000 }, (_value, index): [string, string] => [`x-${index}`, '1']);
    for (let round = 0; round < 20; round += 1) {
      const { status, body } = await sendRaw(victim.address, [head('GET', '/v1/media', headers)]);
      expect(status).toBe(431);
      expect(JSON.parse(body)).toMatchObject({ code: 'headers_too_large' });
    }
  }),
);

test(
  'five hundred short headers are accepted',
  guardedly(async () => {
    const headers = Array.from({ length: 500 }, (_value, index): [string, string] => [`x-${index}`, '1']);
    const { authorization } = asUser('alice');
    const answer = await sendRaw(victim.address, [
      head('GET', '/v1/stats', [['Authorization', authorization], ...headers]),
    ]);
    expect(answer.status, answer.body).toBe(200);
  }),
);

/** Headers that the service, its framework or its HTTP server read. */
const READ_HEADERS = [
  'accept',
  'accept-encoding',
  'accept-language',
  'authorization',
  'cache-control',
  'connection',
  'content-digest',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'date',
  'expect',
  'forwarded',
  'host',
  'idempotency-key',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-event-id',
  'origin',
  'access-control-request-method',
  'access-control-request-headers',
  'range',
  'referer',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'via',
  'webhook-id',
  'webhook-signature',
  'webhook-timestamp',
  'x-fal-webhook-request-id',
  'x-fal-webhook-signature',
  'x-fal-webhook-timestamp',
  'x-fal-webhook-user-id',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-http-method-override',
  'x-request-id',
] as const;
const LONG = 31_000;
const FILLS: readonly string[] = ['a', '1', ',', '"a",', 'a=b;', '%41', '\xe9', ' x', '(', 'eyJ.'];

test(
  'no header of 31 KB blocks the service or makes it fail',
  guardedly(async () => {
    const { authorization } = asAdmin();
    const failed: string[] = [];
    for (const name of READ_HEADERS) {
      for (const fill of FILLS) {
        for (const [method, path] of [
          ['GET', '/v1/media/1/content'],
          ['POST', '/v1/media?userId=a'],
          ['POST', '/v1/webhooks/runpod?secret=x'],
        ] as const) {
          const long: [string, string] = [name, fill.repeat(LONG / fill.length)];
          const proof: [string, string][] = name === 'authorization' ? [] : [['Authorization', authorization]];
          const request = head(method, path, [...proof, long]);
          const { status } = await sendRaw(victim.address, [Buffer.from(request, 'latin1')], {
            then: 'answer',
            patience: 3000,
          });
          // 0: the connection was closed without a response.
          if (status < 200 || status >= 500) failed.push(`${method} ${path} ${name}: ${fill} → ${status}`);
        }
      }
    }
    expect(failed).toEqual([]);
  }),
);
