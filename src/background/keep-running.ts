import { type Backoff, backoff } from './backoff.ts';
import type { BackgroundParts } from './parts.ts';
import { within } from './repeat.ts';

export interface RunPart {
  /** Fires when the part is stopped or must restart: the run must end. */
  signal: AbortSignal;
  worked(): void;
  /** Reports a failure that the run retries by itself. */
  failed(error: unknown): void;
}

export interface KeptRunning {
  /** Resolves when the run has ended, or when it is given up. */
  stop(): Promise<void>;
}

const RETRY: Backoff = { minMs: 1000, maxMs: 30_000 };
/** A run that does not end in this time after its signal is abandoned. */
const GIVE_UP_MS = 8000;

/**
 * Keeps one long run of `work` going: when it ends by itself, throws, or an uncaught error comes from it, it restarts with
 * back-off.
 */
export function keepRunning(
  parts: BackgroundParts,
  name: string,
  work: (run: RunPart) => Promise<void>,
  { retry = RETRY, giveUpMs = GIVE_UP_MS }: { retry?: Backoff; giveUpMs?: number } = {},
): KeptRunning {
  const instance = parts.open(name);
  const stopping = new AbortController();
  let failures = 0;

  const once = async (): Promise<void> => {
    const cut = new AbortController();
    const end = (reason: unknown) => cut.abort(reason);
    const stop = () => end(stopping.signal.reason);
    stopping.signal.addEventListener('abort', stop, { once: true });
    instance.onUncaught = end;
    const aborted = new Promise<void>((resolve) =>
      cut.signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    const { worked, failed } = instance;
    const run = instance.run(() => work({ signal: cut.signal, worked, failed }));
    try {
      await Promise.race([
        run,
        aborted.then(async () => {
          await within(
            run.catch(() => {}),
            giveUpMs,
          );
          throw cut.signal.reason;
        }),
      ]);
      throw new Error('it ended by itself');
    } finally {
      instance.onUncaught = undefined;
      stopping.signal.removeEventListener('abort', stop);
    }
  };
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const began = performance.now();
      try {
        await once();
      } catch (error) {
        if (stopping.signal.aborted) return;
        if (performance.now() - began > retry.maxMs) failures = 0;
        failures += 1;
        instance.failed(error);
      }
      await pause(backoff(failures, retry), stopping.signal);
      if (!stopping.signal.aborted) instance.restarted();
    }
  };
  const running = loop();
  return {
    async stop() {
      stopping.abort();
      await running;
      instance.close();
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal.addEventListener('abort', over);
  });
}
