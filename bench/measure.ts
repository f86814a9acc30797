import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome, Work } from './jobs.ts';
import { type Server, TOKEN } from './servers.ts';
import type { Stage } from './stage.ts';
import { type Usage, snapshot, usageBetween, watchMemory } from './usage.ts';

export interface Contender {
  /** Name in the tables. */
  name: string;
  /** Targets of the requests; several are processes of one service. None: the load process does the work itself. */
  servers: readonly Server[];
  origins?: readonly string[];
  work: Work;
  /** Removes what the turn has made and no later one needs. */
  after?: () => Promise<void>;
}

export interface Bounds {
  concurrency: number;
  /** Of one turn; default: the seconds of the run, without a limit of requests. */
  maxSeconds?: number;
  maxRequests?: number;
}

export interface Turn extends Outcome, Usage {
  /** Highest resident memory of the server, MiB. */
  peakMib: number;
  /** Discarded noisy turns before this one. */
  repeated: number;
}

export interface Measured {
  name: string;
  turns: Turn[];
}

/** Processors used by others above which a turn counts as noisy. */
const NOISE = 0.25;
const WARM_UP_SECONDS = 1;

/**
 * Lets the contenders take turns, A B C A B C, after a warm-up of each. A turn during which other processes used the machine is
 * repeated, at most twice. Errors and noise are reported as they occur.
 */
export async function measure(
  stage: Stage,
  what: string,
  contenders: readonly Contender[],
  bounds: Bounds,
): Promise<Measured[]> {
  const { maxSeconds = stage.seconds, maxRequests = Number.MAX_SAFE_INTEGER, concurrency } = bounds;
  const warmUp = { concurrency, maxSeconds: Math.min(WARM_UP_SECONDS, maxSeconds), maxRequests };
  for (const contender of contenders) tellErrors(stage, what, contender.name, await turn(stage, contender, warmUp));
  const measured = contenders.map(({ name }) => ({ name, turns: [] as Turn[] }));
  for (let round = 0; round < stage.rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      const taken = await quietTurn(stage, what, contender, { concurrency, maxSeconds, maxRequests });
      tellErrors(stage, what, contender.name, taken);
      measured[index]?.turns.push(taken);
    }
  }
  return measured;
}

async function quietTurn(stage: Stage, what: string, contender: Contender, bounds: Required<Bounds>): Promise<Turn> {
  for (let repeated = 0; ; repeated += 1) {
    const taken = await turn(stage, contender, bounds);
    if (taken.others <= NOISE || repeated >= stage.repeats) {
      if (taken.others > NOISE)
        stage.log(
          `  noisy: ${what}, ${contender.name}: others used ${taken.others.toFixed(2)} cores; kept all the same`,
        );
      return { ...taken, repeated };
    }
  }
}

async function turn(stage: Stage, contender: Contender, bounds: Required<Bounds>): Promise<Turn> {
  const { servers, work, origins = servers.map(({ origin }) => origin) } = contender;
  const parts = {
    server: servers.map(({ pid }) => pid),
    database: [...new Set(servers.flatMap(({ database }) => database ?? []))],
    client: stage.load.pid,
  };
  const memory = watchMemory(parts.server);
  const before = snapshot();
  const outcome = await stage.load.run({ work, origins, token: TOKEN, ...bounds });
  const usage = usageBetween(before, snapshot(), parts);
  const { peak } = memory();
  await contender.after?.();
  // The next one must not run beside the aftermath of this one.
  await sleep(50);
  return { ...outcome, ...usage, peakMib: peak, repeated: 0 };
}

function tellErrors(stage: Stage, what: string, name: string, { errors }: Turn): void {
  for (const [told, times] of Object.entries(errors)) stage.log(`  ERRORS: ${what}, ${name}: ${times} × ${told}`);
}

export function isNoisy(turn: Turn): boolean {
  return turn.others > NOISE;
}

/** Runs a job without measuring it. @throws on any error of the server */
export async function prepare(
  stage: Stage,
  server: Server,
  work: Work,
  { concurrency = 8, maxRequests = Number.MAX_SAFE_INTEGER }: { concurrency?: number; maxRequests?: number } = {},
): Promise<Outcome> {
  const bounds = { concurrency, maxRequests, maxSeconds: 600 };
  const outcome = await stage.load.run({ work, origins: [server.origin], token: TOKEN, ...bounds });
  const [first] = Object.entries(outcome.errors);
  if (first) throw new Error(`${server.name}: ${first[1]} × ${first[0]}`);
  return outcome;
}
