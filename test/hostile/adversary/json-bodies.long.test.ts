import { afterAll, beforeAll, expect, test } from 'vitest';
import { asAdmin, asUser } from '../../support/test-app.ts';
import { type Victim, calmest, guarded, startVictim } from './watchdog.ts';

const MIB = 1024 ** 2;
/** Longest time that one body may block the event loop, in milliseconds, measured over HTTP by liveness. */
const MOST_MS = 250;

let victim: Victim;
beforeAll(async () => {
  victim = await startVictim({ WEBHOOK_SECRET_RUNPOD: 'secret', WORKER_CONCURRENCY: '0', JSON_MEMORY_BYTES: '0' });
  // Modules loaded and compiled at first use are not part of the measurement.
  for (const { path, headers, wrap } of ROUTES) await send(path, headers, Buffer.from(wrap(['"x"']).join('')));
});
afterAll(() => victim.close());

type Pieces = string[];
interface Route {
  name: string;
  path: string;
  headers: Record<string, string>;
  /** Puts a value of JSON where the route accepts any. */
  wrap: (value: Pieces) => Pieces;
}
const ROUTES: readonly Route[] = [
  {
    name: 'metadata of an item',
    path: '/v1/media',
    headers: asUser('alice'),
    wrap: (value) => ['{"status":"failed","error":"e","metadata":{"x":', ...value, '}}'],
  },
  {
    name: "a provider's answer",
    path: '/v1/import/fal',
    headers: asUser('alice'),
    wrap: (value) => ['{"response":{"images":', ...value, '}}'],
  },
  {
    name: 'a batch',
    path: '/v1/batches',
    headers: asUser('alice'),
    wrap: (value) => ['{"items":', ...value, '}'],
  },
  {
    name: 'images of an older front end',
    path: '/api/images/save',
    headers: asAdmin(),
    wrap: (value) => ['{"userId":"alice","images":', ...value, '}'],
  },
  {
    name: 'a webhook',
    path: '/v1/webhooks/runpod?secret=secret',
    headers: {},
    wrap: (value) => ['{"id":"j1","status":"COMPLETED","user_id":"alice","output":', ...value, '}'],
  },
  {
    name: 'the error of a webhook',
    path: '/v1/webhooks/runpod?secret=secret',
    headers: {},
    wrap: (value) => ['{"id":"j2","status":"FAILED","user_id":"alice","error":', ...value, '}'],
  },
  {
    name: 'the settings in an answer of AUTOMATIC1111',
    path: '/v1/import/automatic1111',
    headers: asUser('alice'),
    wrap: (value) => ['{"response":{"images":["QUJD"],"info":', ...value, '}}'],
  },
  {
    name: 'base64 of a file',
    path: '/v1/media',
    headers: asUser('alice'),
    wrap: (value) => ['{"source":{"type":"base64","data":', ...value, '}}'],
  },
];

async function send(path: string, headers: Record<string, string>, body: Buffer<ArrayBuffer>) {
  const response = await fetch(`${victim.address}${path}`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body,
  });
  return { status: response.status, bytes: body.length, code: ((await response.json()) as { code?: string }).code };
}

const SIZE = 32 * MIB;
const BOUNDS = { mostHeldMs: MOST_MS, mostBytes: 4 * SIZE + 64 * MIB };

const filled = (unit: string) => unit.repeat(Math.floor(SIZE / Buffer.byteLength(unit)));
const VALUES: readonly (readonly [string, () => Pieces])[] = [
  ['flat: empty objects', () => [`[${filled('{},')}{}]`]],
  ['flat: numbers', () => [`[${filled('1,')}1]`]],
  ['flat: empty texts', () => [`[${filled('"",')}""]`]],
  ['flat: white space', () => [`[${filled(' ')}]`]],
  ['deep', () => [filled('['), filled(']')].map((half) => half.slice(0, SIZE / 2))],
  ['wide: members', () => [`{${Array.from({ length: 3_000_000 }, (_, n) => `"${n}":1`).join(',')}}`]],
  [
    'wide: long names',
    () => [`{${Array.from({ length: 190_000 }, (_, n) => `"${String(n).padEnd(310, 'x')}":1`).join(',')}}`],
  ],
  ['strings: one of base64', () => [`"${filled('QUJD')}"`]],
  ['strings: one with white space', () => [`"${filled('QUJD\\n')}"`]],
  ['strings: one of escapes', () => [`"${filled('\\"')}"`]],
  ['strings: one of escaped characters', () => [`"${filled('\\u4e2d')}"`]],
  ['strings: one of three bytes a character', () => [`"${filled('中')}"`]],
  ['strings: one with a single character that is not ASCII', () => [`"${filled('A')}中"`]],
  [
    'strings: as many as there may be',
    () => [`[${Array.from({ length: 190_000 }, () => `"${'x'.repeat(310)}"`).join(',')}]`],
  ],
  [
    'strings: a thousand of base64',
    () => [`[${Array.from({ length: 900 }, () => `"${'QUJD'.repeat(16_000)}"`).join(',')}]`],
  ],
  [
    'strings: a thousand data URIs',
    () => [
      `[${Array.from({ length: 900 }, () => `{"url":"data:image/png;base64,${'QUJD'.repeat(16_000)}"}`).join(',')}]`,
    ],
  ],
  ['strings: JSON in a text', () => [JSON.stringify(`{"a":[${'{},'.repeat(SIZE / 3 - 10)}{}]}`)]],
  ['strings: a data URI of escapes', () => [`"data:image/png,${filled('%41')}"`]],
];

/** All values at a route of items. The two webhooks take a quarter each, and the others, which share their code with those, a fifth. */
const everyNth = (route: string) => (route === 'metadata of an item' ? 1 : route.endsWith('webhook') ? 4 : 5);

test.each(ROUTES.map((route, index) => ({ ...route, index })))(
  '$name: no body of 32 MiB blocks the service, nor takes more than four times its size',
  async (route) => {
    const seen: string[] = [];
    const values = VALUES.filter((_value, n) => (n + route.index) % everyNth(route.name) === 0);
    for (const [name, make] of values) {
      const body = Buffer.from(route.wrap(make()).join(''));
      const { answer, heldMs, slowestMs, rose } = await calmest(async () => {
        let answer: Awaited<ReturnType<typeof send>> | undefined;
        const watched = await guarded(
          victim,
          async () => (answer = await send(route.path, route.headers, body)),
          BOUNDS,
        );
        return { ...watched, answer };
      });
      seen.push(
        `${name}: ${answer?.status} ${answer?.code} held ${Math.round(heldMs)} ms, alive in ${Math.round(slowestMs)} ms, ${Math.round(rose / MIB)} MiB`,
      );
      expect(answer?.status, name).toBeLessThan(500);
    }
    // Prints the figures of the run.
    process.stdout.write(`${route.name}\n  ${seen.join('\n  ')}\n`);
  },
);
