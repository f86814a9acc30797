import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { png } from '../support/sample-files.ts';
import { JWT_SECRET, type TestApp, asAdmin, asUser, createTestApp } from '../support/test-app.ts';
import { expectNoSecretsLogged } from '../support/traces.ts';
import { SIGNING_SECRET, standardHeaders } from '../support/webhook-senders.ts';

// Whatever bob does beforehand with a job's id, a webhook from alice's provider that names alice ends with alice or parked. No
// worker runs: an item belongs to its owner, who can read it, from the moment it is pending.
const HOOK = 'secret-of-the-address';
let t: TestApp;
beforeAll(async () => {
  t = await createTestApp({
    WEBHOOK_SECRET_RUNPOD: HOOK,
    WEBHOOK_SECRET_GENERATION: HOOK,
    WEBHOOK_SECRET_GENERIC: SIGNING_SECRET,
    WEBHOOK_SECRET_REPLICATE: SIGNING_SECRET,
  });
});
afterAll(async () => {
  expectNoSecretsLogged(t, [JWT_SECRET, HOOK]);
  await t.close();
});

const alice = asUser('alice');
const bob = asUser('bob');
const JSON_TYPE = { 'content-type': 'application/json' };
const picture = { type: 'base64', data: png(2, 2, 7).toString('base64') };

interface Case {
  /** The job's id; also used as a label and as an external id. */
  id: string;
  /** Marks alice's output. */
  url: string;
}
interface Sent {
  url: string;
  body: string;
  headers: Record<string, string>;
}

/** How alice's providers call back. */
const SENDERS = {
  runpod: ({ id, url }: Case): Sent => ({
    url: `/v1/webhooks/runpod?secret=${HOOK}`,
    body: JSON.stringify({ id, status: 'COMPLETED', user_id: 'alice', output: { images: [url] } }),
    headers: JSON_TYPE,
  }),
  handler: ({ id, url }: Case): Sent => ({
    url: `/api/webhooks/generation/${id}?secret=${HOOK}`,
    body: JSON.stringify({ job_id: id, status: 'COMPLETED', user_id: 'alice', resultUrls: [url] }),
    headers: JSON_TYPE,
  }),
  replicate: ({ id, url }: Case): Sent =>
    signed('/v1/webhooks/replicate', { id, status: 'succeeded', output: url, input: { user_id: 'alice' } }),
  generic: ({ id, url }: Case): Sent =>
    signed('/v1/webhooks/generic', { jobId: id, status: 'succeeded', user_id: 'alice', outputs: [{ url }] }),
} as const;
type Sender = keyof typeof SENDERS;
const PROVIDER_OF: Readonly<Record<Sender, string>> = {
  runpod: 'runpod',
  handler: 'generation',
  replicate: 'replicate',
  generic: 'generic',
};

function signed(url: string, message: object): Sent {
  const body = JSON.stringify(message);
  return { url, body, headers: standardHeaders(body) };
}

const send = ({ url, body, headers }: Sent, query = '') =>
  t.app.inject({ method: 'POST', url: query === '' ? url : `${url}?${query}`, headers, payload: body });
const asBob = (method: 'PUT' | 'POST', url: string, payload: object) =>
  t.app.inject({ method, url, headers: bob, payload });

const provider = fc.constantFrom('runpod', 'generation', 'replicate', 'generic', 'foo');
const fields = fc.record(
  {
    toolName: fc.constant('bobs'),
    prompt: fc.constant('bobs'),
    visibility: fc.constantFrom('public', 'private'),
    runId: fc.constantFrom('bobs-run', 'the-id'),
    externalId: fc.constantFrom('bobs-name', 'the-id'),
    tags: fc.constant(['bobs']),
    subfolder: fc.constant('bobs'),
  },
  { requiredKeys: [] },
);
/** Bob's actions. `the-id` stands for the job's id. */
const action = fc.oneof(
  fc.record({ type: fc.constant('register' as const), provider, fields }),
  fc.record({ type: fc.constant('import' as const), provider: fc.constantFrom('runpod', 'replicate', 'fal') }),
  fc.record({ type: fc.constant('save' as const) }),
  fc.record({ type: fc.constant('store' as const), visibility: fc.constantFrom('public', 'private') }),
  fc.record({ type: fc.constant('unproven' as const), sender: fc.constantFrom(...(Object.keys(SENDERS) as Sender[])) }),
  fc.record({
    type: fc.constant('resend' as const),
    query: fc.constantFrom('userId=bob', 'jobId=bobs-job', 'userId=bob&jobId=bobs-job'),
  }),
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** Without proof of the sender. */
function unproven({ url, body }: Sent): Sent {
  return { url: url.replace(HOOK, 'guessed'), body: body.replace('alice', 'bob'), headers: JSON_TYPE };
}

async function act(what: Action, { id }: Case, hers: Sent): Promise<void> {
  if (what.type === 'register') {
    const payload = JSON.parse(JSON.stringify(what.fields).replaceAll('the-id', id)) as object;
    await asBob('PUT', `/v1/jobs/${what.provider}/${id}`, payload);
  } else if (what.type === 'import') {
    const response = { id, request_id: id, status: 'COMPLETED', output: `data:image/png;base64,${picture.data}` };
    await asBob('POST', `/v1/import/${what.provider}`, { response, visibility: 'public', prompt: 'bobs' });
  } else if (what.type === 'save')
    await asBob('POST', '/api/images/save', { jobId: id, image: { data: picture.data } });
  else if (what.type === 'store') {
    const names = { jobId: id, runId: id, externalId: id, requestId: id, messageId: id };
    await asBob('POST', '/v1/media', { ...names, visibility: what.visibility, source: picture });
  } else if (what.type === 'unproven') {
    const answer = await send(unproven(SENDERS[what.sender]({ id, url: 'https://cdn.test/bobs.png' })));
    expect(answer.statusCode).toBe(401);
  }
  // A signature does not cover the query. A sender who knows a secret is no stranger.
  else if ('webhook-signature' in hers.headers) await send(hers, what.query);
}

let cases = 0;

test(
  "whatever bob does with a job's id, alice's webhook ends with alice or parked, and never with bob",
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...(Object.keys(SENDERS) as Sender[])),
        fc.array(action, { minLength: 1, maxLength: 6 }),
        fc.option(fc.nat(5), { nil: undefined }),
        fc.boolean(),
        async (sender, actions, registersAt, bobToo) => {
          const made: Case = { id: `job-${(cases += 1)}`, url: `https://cdn.test/hers-${cases}.png` };
          const hers = SENDERS[sender](made);
          const ourProvider = PROVIDER_OF[sender];
          for (const [at, what] of actions.entries()) {
            if (at === registersAt)
              await t.app.inject({
                method: 'PUT',
                url: `/v1/jobs/${ourProvider}/${made.id}`,
                headers: alice,
                payload: {},
              });
            await act(what, made, hers);
          }
          const { state } = (await send(hers)).json();
          expect(['accepted', 'parked', 'duplicate']).toContain(state);
          // Afterwards, too.
          if (bobToo) for (const what of actions) await act(what, made, hers);
          const items = await check(made);
          const waiting = await parkedOf(made.id);
          expect(items.length > 0).toBe(waiting.length === 0);
          for (const { id: delivery, namedUserId } of waiting) {
            expect(namedUserId).toBe('alice');
            const payload = { userId: namedUserId };
            const url = `/v1/webhook-deliveries/${delivery}/release`;
            expect((await t.app.inject({ method: 'POST', url, headers: asAdmin(), payload })).statusCode).toBe(200);
          }
          const [item] = await check(made);
          expect(item).toMatchObject({
            user_id: 'alice',
            prompt: '',
            tool_name: '',
            visibility: 'private',
          });
          const job = await t.app.inject({ url: `/v1/jobs/${ourProvider}/${made.id}`, headers: alice });
          expect(job.json()).toMatchObject({ userId: 'alice', status: 'succeeded' });
        },
      ),
      { numRuns: 25 },
    );
  },
);

async function parkedOf(jobId: string): Promise<{ id: string; namedUserId: string | null }[]> {
  return (await t.app.inject({ url: `/v1/webhook-deliveries?jobId=${jobId}`, headers: asAdmin() })).json().items;
}

/** All items of alice's output belong to her alone; bob and strangers learn nothing of them. */
async function check({ id, url }: Case) {
  const items = await t.deps.db
    .selectFrom('generated_images')
    .select(['id', 'user_id', 'prompt', 'tool_name', 'visibility'])
    .where('original_url', '=', url)
    .execute();
  for (const item of items) {
    expect(item.user_id).toBe('alice');
    for (const headers of [bob, {}])
      for (const path of ['', '/content'])
        expect([401, 404]).toContain((await t.app.inject({ url: `/v1/media/${item.id}${path}`, headers })).statusCode);
  }
  const found = await t.app.inject({ url: `/v1/media?jobId=${id}`, headers: bob });
  expect(found.body).not.toContain(url);
  const events = await t.deps.db
    .selectFrom('media_event_outbox')
    .select('user_id')
    .where('media_id', 'in', ['0', ...items.map((item) => item.id)])
    .execute();
  expect(events.filter((event) => event.user_id !== 'alice')).toEqual([]);
  return items;
}

test(
  "whatever names bob gives his items, alice's item is found by her external id and label, and bob's is never served instead",
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('public', 'private'),
        async (actions, visibility) => {
          const made: Case = { id: `name-${(cases += 1)}`, url: '' };
          const own = png(3, 3, cases);
          const payload = {
            externalId: made.id,
            runId: made.id,
            jobId: made.id,
            visibility,
            source: { type: 'base64', data: own.toString('base64') },
          };
          for (const what of actions) await act(what, made, SENDERS.runpod(made));
          expect((await t.app.inject({ method: 'POST', url: '/v1/media', headers: alice, payload })).statusCode).toBe(
            201,
          );
          for (const what of actions) await act(what, made, SENDERS.runpod(made));
          for (const url of [`/api/images/${made.id}/data`, `/api/media/image/${made.id}`]) {
            const mine = await t.app.inject({ url, headers: alice });
            expect([mine.statusCode, mine.rawPayload.equals(own)]).toEqual([200, true]);
            const anybodys = await t.app.inject({ url });
            if (anybodys.statusCode === 200)
              expect([visibility, anybodys.rawPayload.equals(own)]).toEqual(['public', true]);
            else expect(anybodys.statusCode).toBe(401);
          }
        },
      ),
      { numRuns: 15 },
    );
  },
);

test("a job that bob registers at the moment its webhook arrives is alice's, or the webhook is parked", async () => {
  const made = Array.from({ length: 24 }, (_none, at): Case => ({
    id: `race-${at}`,
    url: `https://cdn.test/race-${at}.png`,
  }));
  await Promise.all(
    made.flatMap((one) => [
      asBob('PUT', `/v1/jobs/runpod/${one.id}`, { visibility: 'public' }),
      send(SENDERS.runpod(one)),
      asBob('POST', '/v1/import/runpod', {
        response: { id: one.id, status: 'COMPLETED', output: { images: [picture.data] } },
      }),
    ]),
  );
  for (const one of made) expect((await check(one)).length + (await parkedOf(one.id)).length).toBe(1);
});
