import { AsyncLocalStorage } from 'node:async_hooks';

/** State of a background part of this process. */
export interface PartState {
  name: string;
  state: 'running' | 'failing';
  /** When it entered this state. */
  since: Date;
  /** Restarts after failures. */
  restarts: number;
  /** Its latest failure, even if it has recovered; undefined: it never failed. */
  lastError: unknown;
}

export interface PartsLog {
  warn(details: Record<string, unknown>, message: string): void;
  info(details: Record<string, unknown>, message: string): void;
}

export interface PartsObserver {
  restarted(name: string): void;
}

/** One running instance of a part, e.g. the lease of one upload. A part is failing while one of its instances is. */
export interface Instance {
  readonly name: string;
  failed(error: unknown): void;
  worked(): void;
  /** Counts one more attempt after a failure. */
  restarted(): void;
  /** Runs `work`. A synchronous throw becomes a rejection; work that it leaves running still belongs to this instance. */
  run<T>(work: () => T | Promise<T>): Promise<T>;
  /** Called with an uncaught error of this instance. */
  onUncaught: ((error: unknown) => void) | undefined;
  /** Removes it, and its failure. */
  close(): void;
}

interface Part {
  since: Date;
  restarts: number;
  lastError: unknown;
  failing: Set<Instance>;
}

/** The instance whose work is running, also after `await`, in timers and in events. */
const running = new AsyncLocalStorage<Instance>();

/**
 * The background parts of one process. A part that fails is retried by its runner (`repeat`, `keepRunning`); this records it for
 * readiness and metrics, and logs one line when it starts to fail and one when it has recovered.
 */
export class BackgroundParts {
  readonly #parts = new Map<string, Part>();
  readonly #log: PartsLog;
  readonly #observer: PartsObserver | undefined;

  constructor(log: PartsLog, observer?: PartsObserver) {
    this.#log = log;
    this.#observer = observer;
  }

  /** Adds an instance of the part `name`. `details` are logged with its failure. */
  open(name: string, details: Record<string, unknown> = {}): Instance {
    const part = this.#part(name);
    let open = true;
    const recover = () => {
      if (!part.failing.delete(instance) || part.failing.size > 0) return;
      const seconds = Math.round((Date.now() - part.since.getTime()) / 1000);
      part.since = new Date();
      this.#log.info({ part: name, seconds }, 'background part recovered');
    };
    const instance: Instance = {
      name,
      onUncaught: undefined,
      failed: (error) => {
        if (!open) return;
        part.lastError = error;
        if (part.failing.size === 0) {
          part.since = new Date();
          this.#log.warn({ err: error, part: name, ...details }, 'background part failed; it is retried with back-off');
        }
        part.failing.add(instance);
      },
      worked: recover,
      restarted: () => {
        if (!open) return;
        part.restarts += 1;
        this.#observer?.restarted(name);
      },
      run: (work) => running.run(instance, async () => work()),
      close: () => {
        open = false;
        recover();
      },
    };
    return instance;
  }

  states(): PartState[] {
    return [...this.#parts].map(([name, { since, restarts, lastError, failing }]) => ({
      name,
      state: failing.size > 0 ? 'failing' : 'running',
      since,
      restarts,
      lastError,
    }));
  }

  #part(name: string): Part {
    const known = this.#parts.get(name);
    if (known) return known;
    const part: Part = { since: new Date(), restarts: 0, lastError: undefined, failing: new Set() };
    this.#parts.set(name, part);
    return part;
  }
}

/**
 * Assigns an uncaught error to the background part that it came from, which is then restarted. Call it only in a handler of
 * `unhandledRejection` or `uncaughtException`. Returns the part's name; undefined when the error came from elsewhere.
 */
export function giveToPart(error: unknown): string | undefined {
  const instance = running.getStore();
  if (!instance) return undefined;
  instance.failed(error);
  instance.onUncaught?.(error);
  return instance.name;
}
