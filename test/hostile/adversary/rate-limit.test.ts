import http from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { asAdmin, asUser } from '../../support/test-app.ts';
import { type Victim, startVictim, watched } from './watchdog.ts';

const MOST = 20;
/** Nothing here takes long; these tests run beside others, and cannot be repeated within a minute. */
const BOUNDS = { mostMs: 3000, mostHeldMs: 3000 };
let victim: Victim;
let behindProxy: Victim;
beforeAll(async () => {
  const env = { RATE_LIMIT_MAX: String(MOST), WEBHOOK_SECRET_RUNPOD: 'hook', WORKER_CONCURRENCY: '0' };
  [victim, behindProxy] = await Promise.all([
    startVictim(env),
    startVictim({ ...env, TRUSTED_PROXIES: '127.0.0.1,127.0.1.0/24' }),
  ]);
});
afterAll(() => Promise.all([victim.close(), behindProxy.close()]));

const guardedly = (target: () => Victim, work: () => Promise<unknown>) => watched(target, work, BOUNDS);

interface Ask {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  /** Source address: all of 127.0.0.0/8 is this machine. */
  from: string;
}
interface Answer {
  status: number;
  retryAfter: string | undefined;
  code: string | undefined;
}

function ask({ method = 'GET', path, headers = {}, from }: Ask, { address }: Victim = victim): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(`${address}${path}`, { method, headers, localAddress: from, agent: false });
    request.on('error', reject);
    request.on('response', async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      const isProblem = response.headers['content-type']?.includes('problem') === true;
      const body = isProblem ? JSON.parse(Buffer.concat(chunks).toString()) : {};
      resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], code: body.code });
    });
    request.end();
  });
}

/** Repeats a request until it is refused, or the limit is exceeded. Returns how often it was accepted. */
async function untilRefused(request: Ask, target: Victim = victim): Promise<{ taken: number; last: Answer }> {
  for (let taken = 0; ; taken += 1) {
    const last = await ask(request, target);
    if (last.status === 429 || taken > MOST) return { taken, last };
  }
}

const REFUSED = { status: 429, code: 'rate_limited' };

const STRANGERS: readonly (readonly [string, Omit<Ask, 'from'>, number])[] = [
  ['a refused token', { path: '/v1/media', headers: { authorization: 'Bearer x.y.z' } }, 401],
  ['no token', { path: '/v1/media' }, 401],
  ['a token where none is needed', { path: '/v1/media/1/content', headers: { authorization: 'Bearer x' } }, 401],
  ['a wrong webhook secret', { method: 'POST', path: '/v1/webhooks/runpod?secret=wrong' }, 401],
  ['a webhook that is not taken', { method: 'POST', path: '/v1/webhooks/fal' }, 401],
  ['an unknown path', { path: '/wp-login.php' }, 404],
  ['a wrong method', { method: 'DELETE', path: '/v1/media' }, 405],
  ['a wrong method of the documentation', { method: 'POST', path: '/docs/json' }, 405],
  ['a signed URL that is none', { path: '/v1/signed/x' }, 403],
  ['an address of a file', { path: '/uploads/outputs/a/x.png' }, 401],
  ['the documentation', { path: '/docs' }, 200],
  ['the document', { path: '/openapi.json' }, 200],
  ['the document of the documentation', { path: '/docs/json' }, 200],
  ['the document as YAML', { path: '/docs/yaml' }, 200],
];

test(
  'every request without a valid token counts against its address',
  guardedly(
    () => victim,
    async () => {
      for (const [index, [name, request, status]] of STRANGERS.entries()) {
        const from = `127.0.2.${index + 1}`;
        expect((await ask({ ...request, from })).status, name).toBe(status);
        const { taken, last } = await untilRefused({ ...request, from });
        expect(taken, name).toBe(MOST - 1);
        expect(last, name).toMatchObject(REFUSED);
        expect(Number(last.retryAfter), name).toBeGreaterThan(0);
        expect(Number(last.retryAfter), name).toBeLessThanOrEqual(60);
      }
    },
  ),
);

test(
  'all of them share one limit: refused for one, a client is refused for the others',
  guardedly(
    () => victim,
    async () => {
      const from = '127.0.3.1';
      for (let sent = 0; sent < MOST; sent += 1)
        await ask({ ...(STRANGERS[sent % STRANGERS.length] as (typeof STRANGERS)[number])[1], from });
      for (const [name, request] of STRANGERS) expect(await ask({ ...request, from }), name).toMatchObject(REFUSED);
      // Others have other addresses.
      expect((await ask({ path: '/openapi.json', from: '127.0.3.2' })).status).toBe(200);
    },
  ),
);

test(
  "a stranger who has used up the address's limit does not affect a caller, nor the reverse",
  guardedly(
    () => victim,
    async () => {
      const from = '127.0.4.1';
      await untilRefused({ path: '/nothing', from });
      const own = { path: '/v1/stats', headers: asUser('carol'), from };
      const { taken, last } = await untilRefused(own);
      expect([taken, last]).toMatchObject([MOST, REFUSED]);
      // From any address: the subject counts.
      expect(await ask({ ...own, from: '127.0.4.2' })).toMatchObject(REFUSED);
      // Other tokens of the same subject are the same caller.
      expect(await ask({ ...own, headers: asUser('carol', 'media:read') })).toMatchObject(REFUSED);
      expect((await ask({ path: '/openapi.json', from: '127.0.4.2' })).status).toBe(200);
      expect((await ask({ ...own, headers: asUser('dave') })).status).toBe(200);
      expect((await ask({ ...own, headers: asAdmin() })).status).toBe(200);
    },
  ),
);

test(
  "a subject that looks like another's key does not share its limit",
  guardedly(
    () => victim,
    async () => {
      await untilRefused({ path: '/nothing', from: '127.0.5.1' });
      for (const sub of ['address 127.0.5.1', '127.0.5.1', 'subject carol'])
        expect((await ask({ path: '/v1/stats', headers: asUser(sub), from: '127.0.5.2' })).status, sub).toBe(200);
    },
  ),
);

test(
  'a request refused for its scope counts against the caller',
  guardedly(
    () => victim,
    async () => {
      const { taken, last } = await untilRefused({
        path: '/v1/webhook-deliveries',
        headers: asUser('erin'),
        from: '127.0.6.1',
      });
      expect([taken, last]).toMatchObject([MOST, REFUSED]);
    },
  ),
);

test(
  'probes are never refused',
  guardedly(
    () => victim,
    async () => {
      const from = '127.0.7.1';
      await untilRefused({ path: '/nothing', from });
      for (const path of ['/health/live', '/health/ready', '/metrics'])
        for (let sent = 0; sent <= MOST; sent += 1) expect((await ask({ path, from })).status, path).toBe(200);
    },
  ),
);

test(
  "without trusted proxies no header determines the client's address",
  guardedly(
    () => victim,
    async () => {
      const from = '127.0.8.1';
      const statuses: number[] = [];
      for (let sent = 0; sent < MOST + 3; sent += 1) {
        const headers = {
          'x-forwarded-for': `10.0.0.${sent}`,
          forwarded: `for=10.0.0.${sent}`,
          'x-real-ip': `10.0.0.${sent}`,
        };
        statuses.push((await ask({ path: '/nothing', headers, from })).status);
      }
      expect(statuses).toEqual([...Array.from({ length: MOST }, () => 404), 429, 429, 429]);
    },
  ),
);

test(
  'X-Forwarded-For counts when a trusted proxy sends it, and then its last address that is no proxy',
  guardedly(
    () => behindProxy,
    async () => {
      const forwarded = (list: string, from = '127.0.0.1') => ({
        path: '/nothing',
        headers: { 'x-forwarded-for': list },
        from,
      });
      // A header written by the client comes before it.
      const spoofed = (sent: number) => forwarded(`203.0.113.${sent}, 198.51.100.7, 127.0.1.9`);
      for (let sent = 0; sent < MOST; sent += 1) expect((await ask(spoofed(sent), behindProxy)).status).toBe(404);
      expect(await ask(spoofed(MOST), behindProxy)).toMatchObject(REFUSED);
      expect(await ask(forwarded('198.51.100.7'), behindProxy)).toMatchObject(REFUSED);
      expect((await ask(forwarded('198.51.100.8'), behindProxy)).status).toBe(404);
      // A client that is no proxy is counted by its own address, whatever it says.
      const stranger = '127.0.9.1';
      for (let sent = 0; sent < MOST; sent += 1)
        expect((await ask(forwarded(`192.0.2.${sent}`, stranger), behindProxy)).status).toBe(404);
      expect(await ask(forwarded('192.0.2.99', stranger), behindProxy)).toMatchObject(REFUSED);
    },
  ),
);

test(
  'an IPv6 client is counted by its network, because it has any number of addresses',
  guardedly(
    () => behindProxy,
    async () => {
      const forwarded = (address: string) => ({
        path: '/nothing',
        headers: { 'x-forwarded-for': address },
        from: '127.0.0.1',
      });
      for (let sent = 0; sent < MOST; sent += 1)
        expect((await ask(forwarded(`2001:db8:1:2::${sent.toString(16)}`), behindProxy)).status).toBe(404);
      expect(await ask(forwarded('2001:db8:1:2:ffff::1'), behindProxy)).toMatchObject(REFUSED);
      expect((await ask(forwarded('2001:db8:1:3::1'), behindProxy)).status).toBe(404);
    },
  ),
);

test('webhooks of proven senders use up nothing of their address, and get through where strangers have used it up', async () => {
  const from = '127.0.0.77';
  const proven = { method: 'POST', path: '/v1/webhooks/runpod?secret=hook', from };
  // A body without an id: only the sender's authentication matters here.
  for (let n = 0; n < MOST + 5; n += 1) expect((await ask(proven)).status).toBe(400);
  expect((await ask({ path: '/v1/media', from })).status).toBe(401);
  await untilRefused({ path: '/wp-login.php', from });
  expect((await ask(proven)).status).toBe(400);
  expect((await ask({ ...proven, path: '/v1/webhooks/runpod?secret=wrong' })).status).toBe(429);
});
