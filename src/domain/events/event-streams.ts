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
import { failureOf } from '../../db/failure.ts';
import { AppError } from '../../errors.ts';

/** What a follower receives. `position` says how far it has read, so that it can resume there. */
export type Told =
  | { type: 'event'; event: MediaEvent }
  /** An unknown number of events was missed: the follower must reload its state. */
  | { type: 'reset'; position: number }
  | { type: 'position'; position: number };

export interface FollowRequest {
  /** The subject whose number of concurrent streams is limited, whatever they follow. */
  subject: string;
  /** Whose events; undefined: everybody's. */
  userId: string | undefined;
  /** The last position that the follower has seen, unvalidated. */
  after: string | undefined;
  /** Seconds since 1970. */
  expires: number | undefined;
  signal: AbortSignal;
}

export interface EventTiming {
  /** Poll interval while there are followers. */
  pollMs: number;
  /** Poll interval without followers and without events to number. */
  idleMs: number;
  heartbeatMs: number;
}

export const EVENT_TIMING: EventTiming = { pollMs: 250, idleMs: 5000, heartbeatMs: 15_000 };

const MAX_STREAMS = 500;
const MAX_STREAMS_OF_SUBJECT = 16;
/** Events that are read for one stream at a time; the next batch only once these are being sent. */
const BATCH = 100;
const NUMBERED_AT_ONCE = 1000;
/** Streams that read concurrently; the pool's other connections are for requests. */
const READERS = 3;
/** Pause of a stream while the database is unavailable. */
const AGAIN_MS = 1000;
const KEPT_SECONDS = 24 * 3600;
const FORGET_EVERY_MS = 60_000;

interface Follower {
  userId: string | undefined;
  woken: boolean;
  wake: () => unknown;
}

/**
 * The events of one process: numbers committed events, taking turns with the other replicas, and serves streams. Streams receive
 * only wake-ups from the process; each reads the table at its reader's pace.
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

  /** Resolves when nothing here uses the database any longer; call it after `stop`. */
  async settled(): Promise<void> {
    await this.#ended;
  }

  /**
   * Begins a stream. Call `close` when its reader is done, even if it never began to read.
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
    // The current pause may be the long one for no followers.
    this.#rounds?.soon(this.#timing.pollMs);
    try {
      let position = from;
      yield { type: missed ? 'reset' : 'position', position };
      while (!over()) {
        follower.woken = false;
        const read = await this.#read(() => readEvents(this.#db, { after: position, userId, limit: BATCH })).catch(
          (error: unknown) => {
            if (failureOf(error) !== 'gone') throw error;
          },
        );
        if (!read) {
          // The stream outlives the outage: it goes on after its last event.
          yield { type: 'position', position };
          await this.#wait(follower, Math.min(AGAIN_MS, ends - Date.now()), signal);
          continue;
        }
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
        // Read at the same moment, so no event of this user lies between.
        position = read.last;
        const woken = await this.#wait(follower, Math.min(this.#timing.heartbeatMs, ends - Date.now()), signal);
        if (!woken && !over()) yield { type: 'position', position };
      }
    } finally {
      this.#followers.delete(follower);
    }
  }

  /** True when there may be something to read or the stream must end; false when the time is over. */
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

  /** Returns the pause until the next round. */
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
