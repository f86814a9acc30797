import fc from 'fast-check';
import { type Victim, guarded } from '../adversary/watchdog.ts';
import type { ApiDocument, Operation } from './document.ts';
import { type Sent, prepare, send } from './exchange.ts';
import { complaints } from './invariants.ts';
import { Known } from './known.ts';
import { type Plan, fittingPlansOf, plansOf } from './plans.ts';

/** Requests between two readings of the watchdog. */
const BATCH = 100;
const SHOWN = 1500;
/** Requests that fit, at most, to an operation that has had no success; many need what another one creates. */
const MORE = 200;

export interface Campaign {
  victim: Victim;
  document: ApiDocument;
  origin: string;
  seed: number;
  requests: number;
  secrets: readonly string[];
}

export interface Outcome {
  /** Number of responses by operation and status. */
  statuses: Map<string, Map<number, number>>;
  /** Violations, each with its request; none twice. */
  findings: string[];
}

/**
 * Sends requests derived from the document one after the other, each of which may use values of earlier responses. The same seed
 * makes the same requests.
 */
export async function runCampaign({ victim, document, origin, seed, requests, secrets }: Campaign): Promise<Outcome> {
  const known = new Known(origin);
  const arbitrary = plansOf(document);
  const outcome: Outcome = { statuses: new Map(), findings: [] };
  const seen = new Set<string>();
  const ask = async (plan: Plan, number: number) => {
    const sent = prepare(plan, known);
    const report = (wrong: string) => {
      const what = `${plan.operation.id}: ${wrong}`;
      if (seen.has(what)) return;
      seen.add(what);
      outcome.findings.push(
        `${what}\n  request ${number} of seed ${seed} (FUZZ_SEED=${seed} FUZZ_REQUESTS=${requests})\n  ${shown(plan, sent)}`,
      );
    };
    const answer = await send(victim.address, sent).catch((error: Error) => {
      report(error.message);
      return undefined;
    });
    if (!answer) return;
    const { id } = plan.operation;
    const counts = outcome.statuses.get(id) ?? new Map<number, number>();
    outcome.statuses.set(id, counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1));
    for (const wrong of complaints(document, plan, answer, { always: secrets, tokens: known.tokens }))
      report(
        `${wrong}${answer.status >= 500 ? ` ${answer.body.toString().slice(0, 300)}` : ''}`.replaceAll(
          /"requestId":"[^"]+"/g,
          '',
        ),
      );
    if (answer.status < 300 && answer.headers['content-type']?.includes('json'))
      known.learn(plan.operation, JSON.parse(answer.body.toString()));
  };
  for (let done = 0; done < requests; done += BATCH) {
    const plans = fc.sample(arbitrary, { seed: (seed + done) | 0, numRuns: Math.min(BATCH, requests - done) });
    const batch = async () => {
      for (const [index, plan] of plans.entries()) await ask(plan, done + index);
    };
    // Other load may take the processor for as long as the limit: a batch that is slow twice is slow itself.
    await guarded(victim, batch)
      .catch(() => guarded(victim, batch))
      .catch(() => guarded(victim, batch))
      .catch((error: Error) => outcome.findings.push(`requests ${done} to ${done + plans.length}: ${error.message}`));
    if (victim.service.child.exitCode !== null) return outcome;
  }
  const samples = (operation: Operation) => fc.sample(fittingPlansOf(document, operation), { seed, numRuns: MORE });
  const creating = document.operations.filter(({ id }) => ['createMedia', 'addRunMedia'].includes(id)).map(samples);
  for (const operation of document.operations.filter(({ id }) => !hadSuccess(outcome, id))) {
    for (const [index, plan] of samples(operation).entries()) {
      // What it needs may be an item of another kind than those known.
      for (const before of creating.flatMap((plans) => plans[index] ?? [])) await ask(before, requests);
      await ask(plan, requests);
      if (hadSuccess(outcome, operation.id)) break;
    }
  }
  return outcome;
}

export function hadSuccess({ statuses }: Outcome, id: string): boolean {
  return [...(statuses.get(id)?.keys() ?? [])].some((status) => status < 400);
}

function shown({ caller, manner }: Plan, { method, target, headers, payload }: Sent): string {
  const { authorization: _not, ...rest } = headers;
  return `${manner}, as ${caller}: ${method} ${target.slice(0, SHOWN)}\n  ${JSON.stringify(rest).slice(0, SHOWN)}\n  ${payload.toString('latin1').slice(0, SHOWN)}`;
}
