import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../../support/sample-files.ts';
import { type FalSender, SIGNING_SECRET, startFalSender } from '../../support/webhook-senders.ts';
import { type Refusal, type Target, drip, pour, tally } from './flood.ts';
import { type Victim, calmest, guarded, startVictim } from './watchdog.ts';

const MIB = 1024 ** 2;
const BODY = 60 * MIB;
/** Room for exactly two such bodies. */
const JSON_MEMORY = 121 * MIB;

let victim: Victim;
let fal: FalSender;
beforeAll(async () => {
  fal = await startFalSender();
  victim = await startVictim({
    FAL_JWKS_URL: fal.jwksUrl,
    FETCH_TRUSTED_HOSTS: '127.0.0.1',
    WEBHOOK_SECRET_RUNPOD: 'the-right-secret',
    WEBHOOK_SECRET_GENERATION: 'another-right-secret',
    WEBHOOK_SECRET_REPLICATE: SIGNING_SECRET,
    WEBHOOK_SECRET_COMFYUI_API: SIGNING_SECRET,
    WEBHOOK_SECRET_GENERIC: SIGNING_SECRET,
    JSON_MEMORY_BYTES: String(JSON_MEMORY),
  });
});
afterAll(async () => {
  await victim.close();
  fal.close();
});

const now = () => String(Math.floor(Date.now() / 1000));
/** What a stranger can make up: plausible in all but the signature. */
const standard = () => ({
  'webhook-id': `msg_${Math.random()}`,
  'webhook-timestamp': now(),
  'webhook-signature': `v1,${Buffer.alloc(32, 7).toString('base64')}`,
});
const ofFal = () => ({
  'x-fal-webhook-request-id': `request-${Math.random()}`,
  'x-fal-webhook-user-id': 'an-account',
  'x-fal-webhook-timestamp': now(),
  'x-fal-webhook-signature': Buffer.alloc(64, 7).toString('hex'),
});

interface Sender {
  provider: string;
  target: () => Target;
  /** Refused before a byte of the body is read. */
  atHead: boolean;
}
const to = (provider: string, headers: Record<string, string> = {}, query = ''): Target => ({
  url: `${victim.address}/v1/webhooks/${provider}${query}`,
  headers,
});
const SENDERS: readonly Sender[] = [
  { provider: 'replicate', target: () => to('replicate', standard()), atHead: false },
  { provider: 'fal', target: () => to('fal', ofFal()), atHead: false },
  { provider: 'comfyui-api', target: () => to('comfyui-api', standard()), atHead: false },
  { provider: 'generic', target: () => to('generic', standard()), atHead: false },
  { provider: 'runpod', target: () => to('runpod', {}, '?secret=the-wrong-secret'), atHead: true },
  { provider: 'generation', target: () => to('generation', {}, '?secret=the-wrong-secret'), atHead: true },
];

/** RunPod webhooks with the right secret, one after the other until `over`: small ones, and ones with a large picture. */
async function legitimate(over: () => boolean): Promise<{ statuses: number[]; slowestMs: number }> {
  const picture = Buffer.concat([png(2, 2, 1), Buffer.alloc(2 * MIB)]).toString('base64');
  const small = png(2, 2, 2).toString('base64');
  const seen = { statuses: [] as number[], slowestMs: 0 };
  for (let sent = 0; !over(); sent += 1) {
    const data = sent % 2 === 0 ? picture : small;
    const body = { id: `job-${now()}-${sent}`, status: 'COMPLETED', user_id: 'alice', output: { images: [{ data }] } };
    const since = performance.now();
    const response = await fetch(`${victim.address}/v1/webhooks/runpod?secret=the-right-secret`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    await response.arrayBuffer();
    seen.statuses.push(response.status);
    seen.slowestMs = Math.max(seen.slowestMs, performance.now() - since);
    await sleep(300);
  }
  return seen;
}

/** Runs an attack, and observes the process and a legitimate sender. */
async function attack(name: string, work: () => Promise<Refusal[]>): Promise<Record<string, number>> {
  const { watched, counts, good } = await calmest(async () => {
    let counts: Record<string, number> = {};
    let good = { statuses: [] as number[], slowestMs: 0 };
    const watched = await guarded(victim, async () => {
      let over = false;
      const sender = legitimate(() => over);
      counts = tally(await work().finally(() => (over = true)));
      good = await sender;
    });
    expect(good.slowestMs).toBeLessThan(5000);
    return { watched, counts, good };
  });
  process.stdout.write(
    `${name}: ${JSON.stringify(counts)}, ${Math.round(watched.rose / MIB)} MiB, alive in ${Math.round(watched.slowestMs)} ms; ${good.statuses.length} good ones, ${Math.round(good.slowestMs)} ms at most\n`,
  );
  expect(good.statuses.filter((status) => status !== 200)).toEqual([]);
  return counts;
}

/** Refused as invalid, or as too many; a sender that goes on may find its connection closed. */
const OUTCOMES = /^(401 webhook_refused|503 overloaded|0)$/;

test.each(SENDERS)(
  'sixty bodies of 60 MiB at once to $provider are refused, and a proven sender gets through',
  async (sender) => {
    const counts = await attack(`${sender.provider}, bodies of 60 MiB`, () =>
      Promise.all(Array.from({ length: 60 }, () => pour(sender.target(), BODY))),
    );
    expect(Object.keys(counts).filter((outcome) => !OUTCOMES.test(outcome))).toEqual([]);
    expect(counts['401 webhook_refused']).toBeGreaterThan(0);
    if (sender.atHead) expect(counts['503 overloaded']).toBeUndefined();
  },
);

test('two hundred slow bodies from one address are ended, and a proven sender gets through', async () => {
  const senders = SENDERS.filter(({ atHead }) => !atHead);
  const counts = await attack('bodies that drip', () =>
    Promise.all(
      Array.from({ length: 200 }, (_value, index) => {
        const sender = senders[index % senders.length] as Sender;
        return drip(sender.target(), index % 2 === 0 ? BODY : undefined);
      }),
    ),
  );
  // Slower than 8 KiB in 30 seconds.
  expect(counts['408 request_timeout']).toBeGreaterThanOrEqual(100);
  expect(Object.keys(counts).filter((outcome) => !/^(408 request_timeout|503 overloaded)$/.test(outcome))).toEqual([]);
});

test('slow bodies to a provider whose secret is in the URL are refused at the head', async () => {
  const senders = SENDERS.filter(({ atHead }) => atHead);
  const counts = await attack('bodies that drip, with a wrong secret', () =>
    Promise.all(
      Array.from({ length: 200 }, (_value, index) =>
        drip((senders[index % 2] as Sender).target(), index % 4 < 2 ? BODY : undefined, 200),
      ),
    ),
  );
  expect(counts).toEqual({ '401 webhook_refused': 200 });
});
