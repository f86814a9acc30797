const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Ctrl-C below npm comes twice, from the terminal and from npm; a second signal within this time is no new key press. */
const SAME_SIGNAL_MS = 1000;

const stops = new Set<() => Promise<void>>();
let first: number | undefined;

/**
 * A signal that nobody else handles ends the process only after `stop`. Once the caller handles signals itself, that is its
 * work. A second signal ends the process at once. Returns a function that takes `stop` back.
 */
export function stopBeforeSignal(stop: () => Promise<void>): () => void {
  if (stops.size === 0) for (const signal of SIGNALS) process.on(signal, onSignal);
  stops.add(stop);
  return () => {
    if (stops.delete(stop) && stops.size === 0) for (const signal of SIGNALS) process.removeListener(signal, onSignal);
  };
}

function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  const end = () => {
    for (const each of SIGNALS) process.removeListener(each, onSignal);
    process.kill(process.pid, signal);
  };
  if (first !== undefined) {
    if (performance.now() - first > SAME_SIGNAL_MS) end();
    return;
  }
  first = performance.now();
  void Promise.allSettled([...stops].map((stop) => stop())).then(end);
}
