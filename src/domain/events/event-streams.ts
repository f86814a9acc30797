import type { BackgroundParts } from '../../background/parts.ts';
import { type Repeated, repeat } from '../../background/repeat.ts';
import type { Db } from '../../db/database.ts';
import {
  type MediaEvent,
  forgetEvents,
  numberEvents,
  readEventLog,
  readEvents,
  usersOfEvents,
} from '../../db/events.ts';
import { AppError } from '../../errors.ts';

/** What a follower is told. `position` alone says how far it has come, so that it can resume from there. */
export type Told =
  | { type: 'event'; event: MediaEvent }
  /** Events were missed, and nobody can tell which: the follower has to look for itself. */
  | { type: 'reset'; position: number }
  | { type: 'position'; position: number };

export interface FollowRequest {
  /** Who follows: so many streams at once, whatever they are about. */
  subject: string;
  /** Whose events; undefined: everybody's. */
  userId: string | undefined;
  /** What the follower says it has seen last, as it came. */
  after: string | undefined;
  /** Seconds since 1970. */
  expires: number | undefined;
  signal: AbortSignal;
}

export interface EventTiming {
  /** Between two looks for events while somebody follows. */
  pollMs: number;
  /** The same when nobody does and there is nothing to number. */
  idleMs: number;
  heartbeatMs: number;
}

export const EVENT_TIMING: EventTiming = { pollMs: 250, idleMs: 5000, heartbeatMs: 15_000 };

const MAX_STREAMS = 500;
const MAX_STREAMS_OF_SUBJECT = 16;
/** Events that are read at once for one stream; further ones only when these are on their way. */
const BATCH = 100;
const NUMBERED_AT_ONCE = 1000;
/** Streams that read at once: the others of the pool's connections are for requests. */
const READERS = 3;
const KEPT_SECONDS = 24 * 3600;
const FORGET_EVERY_MS = 60_000;

interface Follower {
  userId: string | undefined;
  woken: boolean;
  wake: () => unknown;
}

/**
 * Events of one process: numbers what was committed, by turns with the other replicas, and lets streams follow. Between the
 * process and its streams goes nothing but a wake-up; each stream reads the table at its reader's pace.
 */
export class EventStreams {
  readonly #db: Db;
  readonly #background: BackgroundParts;
  readonly #timing: EventTiming;
  readonly #followers = new Set<Follower>();
  readonly #open = new Map<string, number>();
  #openCount = 0;
  #seen = 0;
  #forgotAt = 0;
  #stopped = false;
  #rounds: Repeated | undefined;
  #ended: Promise<void> | undefined;
  #reading = 0;
  readonly #waitingToRead: (() => void)[] = [];

  constructor({ db, background }: { db: Db; background: BackgroundParts }, timing: EventTiming = EVENT_TIMING) {
    this.#db = db;
    this.#background = background;
    this.#timing = timing;
  }

  start(): void {
    const { pollMs, idleMs } = this.#timing;
    this.#rounds = repeat(this.#background, 'events', () => this.#runRound(), {
      everyMs: pollMs,
      firstMs: pollMs,
      retry: { minMs: pollMs, maxMs: idleMs },
    });
  }

  /** Ends all streams; no new ones begin. */
  stop(): void {
    this.#stopped = true;
    this.#ended = this.#rounds?.stop();
    for (const follower of this.#followers) follower.wake();
  }

  /** Resolves when nothing of this uses the database any more; after `stop`. */
  async settled(): Promise<void> {
    await this.#ended;
  }

  /**
   * Begins a stream. `close` has to be called when its reader is done, also when it never began to read.
   * @throws AppError overloaded, rate_limited: too many streams; database_unavailable
   */
  async follow(request: FollowRequest): Promise<{ told: AsyncGenerator<Told>; close: () => void }> {
    const close = this.#take(request.subject);
    try {
      const { last, forgottenTo } = await this.#read(() => readEventLog(this.#db));
      const known = /^\d{1,15}$/.test(request.after ?? '') ? Number(request.after) : Number.NaN;
      const missed = request.after !== undefined && !(known >= forgottenTo && known <= last);
      const from = missed || request.after === undefined ? last : known;
      return { told: this.#tell(request, from, missed), close };
    } catch (error) {
      close();
      throw error;
    }
  }

  #take(subject: string): () => void {
    const own = this.#open.get(subject) ?? 0;
    if (this.#openCount >= MAX_STREAMS || this.#stopped)
      throw new AppError('overloaded', 'Too many event streams are open; try again later.', { retryAfter: 30 });
    if (own >= MAX_STREAMS_OF_SUBJECT)
      throw new AppError(
        'rate_limited',
        `This token's subject has ${own} event streams open; close one, or share one.`,
        { retryAfter: 5 },
      );
    this.#open.set(subject, own + 1);
    this.#openCount += 1;
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      this.#openCount -= 1;
      const left = (this.#open.get(subject) ?? 1) - 1;
      if (left > 0) this.#open.set(subject, left);
      else this.#open.delete(subject);
    };
  }

  async *#tell({ userId, expires, signal }: FollowRequest, from: number, missed: boolean): AsyncGenerator<Told> {
    const ends = expires === undefined ? Number.POSITIVE_INFINITY : expires * 1000;
    const over = () => this.#stopped || signal.aborted || Date.now() >= ends;
    const follower: Follower = { userId, woken: false, wake: () => (follower.woken = true) };
    this.#followers.add(follower);
    // The round may be waiting for as long as it does when nobody follows.
    this.#rounds?.soon(this.#timing.pollMs);
    try {
      let position = from;
      yield { type: missed ? 'reset' : 'position', position };
      while (!over()) {
        follower.woken = false;
        const read = await this.#read(() => readEvents(this.#db, { after: position, userId, limit: BATCH }));
        if (position < read.forgottenTo) {
          position = read.last;
          yield { type: 'reset', position };
          continue;
        }
        for (const event of read.events) {
          if (over()) return;
          position = event.position;
          yield { type: 'event', event };
        }
        if (read.events.length === BATCH) continue;
        // As of the same moment, so nothing of this user lies in between.
        position = read.last;
        const woken = await this.#wait(follower, Math.min(this.#timing.heartbeatMs, ends - Date.now()), signal);
        if (!woken && !over()) yield { type: 'position', position };
      }
    } finally {
      this.#followers.delete(follower);
    }
  }

  /** True when there may be something to read, or the stream has to end; false when the time is over. */
  #wait(follower: Follower, ms: number, signal: AbortSignal): Promise<boolean> {
    if (follower.woken || this.#stopped || signal.aborted) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (woken: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        follower.wake = () => (follower.woken = true);
        resolve(woken);
      };
      const wake = () => {
        follower.woken = true;
        done(true);
      };
      const timer = setTimeout(() => done(false), Math.max(0, ms));
      signal.addEventListener('abort', wake);
      follower.wake = wake;
    });
  }

  /** Answers the pause until the next round. */
  async #runRound(): Promise<number> {
    const numbered = await numberEvents(this.#db, NUMBERED_AT_ONCE);
    if (this.#followers.size > 0) await this.#wakeFollowers();
    if (performance.now() - this.#forgotAt > FORGET_EVERY_MS) {
      const forgotten = await forgetEvents(this.#db, KEPT_SECONDS, NUMBERED_AT_ONCE);
      if (forgotten < NUMBERED_AT_ONCE) this.#forgotAt = performance.now();
    }
    const { pollMs, idleMs } = this.#timing;
    if (numbered === NUMBERED_AT_ONCE) return 0;
    return numbered > 0 || this.#followers.size > 0 ? pollMs : idleMs;
  }

  async #wakeFollowers(): Promise<void> {
    const { last } = await readEventLog(this.#db);
    if (last === this.#seen) return;
    const users = last - this.#seen <= NUMBERED_AT_ONCE ? await usersOfEvents(this.#db, this.#seen) : undefined;
    this.#seen = last;
    for (const follower of this.#followers) {
      if (!users || follower.userId === undefined || users.has(follower.userId)) follower.wake();
    }
  }

  async #read<T>(work: () => Promise<T>): Promise<T> {
    if (this.#reading >= READERS) await new Promise<void>((resolve) => this.#waitingToRead.push(resolve));
    else this.#reading += 1;
    try {
      return await work();
    } finally {
      const next = this.#waitingToRead.shift();
      if (next) next();
      else this.#reading -= 1;
    }
  }
}
