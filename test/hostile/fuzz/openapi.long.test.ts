import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startOrigin } from '../../support/origin.ts';
import type { Origin } from '../../support/origin.ts';
import { JWT_SECRET } from '../../support/test-app.ts';
import { SIGNING_SECRET } from '../../support/webhook-senders.ts';
import { type Victim, startVictim } from '../adversary/watchdog.ts';
import { type Outcome, hadSuccess, runCampaign } from './campaign.ts';
import { type ApiDocument, readDocument } from './document.ts';
import { WEBHOOK_SECRET } from './exchange.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31));
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 2000);
const URL_KEY = 'url-signing-key-url-signing-key-0123456789';

let origin: Origin;
let victim: Victim;
let document: ApiDocument;
let outcome: Outcome;
beforeAll(async () => {
  origin = await startOrigin();
  victim = await startVictim({
    FETCH_TRUSTED_HOSTS: '127.0.0.1',
    FETCH_TIMEOUT_SECONDS: '2',
    URL_SIGNING_KEYS: `k1:${URL_KEY}`,
    CORS_ORIGINS: 'https://app.example.com',
    WEBHOOK_SECRET_RUNPOD: WEBHOOK_SECRET,
    WEBHOOK_SECRET_GENERATION: WEBHOOK_SECRET,
    WEBHOOK_SECRET_COMFYUI_API: WEBHOOK_SECRET,
    WEBHOOK_SECRET_REPLICATE: SIGNING_SECRET,
    WEBHOOK_SECRET_GENERIC: SIGNING_SECRET,
    MAX_UPLOAD_BYTES: '1000000',
  });
  document = readDocument(await (await fetch(`${victim.address}/openapi.json`)).json());
});
afterAll(async () => {
  await victim.close();
  origin.close();
});

test('every request derived from the document, fitting or not, gets a response that the document has', async () => {
  process.stdout.write(`fuzzing with FUZZ_SEED=${SEED} FUZZ_REQUESTS=${REQUESTS}\n`);
  const secrets = [JWT_SECRET, URL_KEY, WEBHOOK_SECRET, SIGNING_SECRET, victim.connectionString, victim.folder];
  outcome = await runCampaign({ victim, document, origin: origin.url, seed: SEED, requests: REQUESTS, secrets });
  expect(outcome.findings.join('\n\n')).toBe('');
  expect(victim.service.child.exitCode).toBeNull();
}, 3_600_000);

// Fewer requests may miss one.
test.skipIf(REQUESTS < 2000)('each operation of the document was requested, also with success', () => {
  process.stdout.write(
    `${[...outcome.statuses]
      .map(
        ([id, counts]) =>
          `  ${id}: ${[...counts]
            .toSorted(([a], [b]) => a - b)
            .map(([status, count]) => `${status} × ${count}`)
            .join(', ')}`,
      )
      .join('\n')}\n`,
  );
  // Only an action on more than 1,000 items makes a task.
  expect(document.operations.map(({ id }) => id).filter((id) => !hadSuccess(outcome, id))).toEqual(['getTask']);
});
