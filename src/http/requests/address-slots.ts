import { AppError } from '../../errors.ts';

/** Concurrent bodies of unauthenticated senders per address. */
const MOST = 8;
/** How long the next one waits for its turn: a provider may send a burst. */
const WAIT_MS = 15_000;

export interface AddressSlots {
  /** Waits for a slot of the address; call the returned function when the body is no longer in memory. @throws AppError overloaded */
  take(address: string): Promise<() => void>;
}

/** Lets a few bodies per address be read concurrently; the others are not read until their turn. */
export function createAddressSlots(most = MOST, waitMs = WAIT_MS): AddressSlots {
  const busy = new Map<string, { running: number; waiting: (() => void)[] }>();
  const free = (address: string) => {
    const slots = busy.get(address);
    if (!slots) return;
    const next = slots.waiting.shift();
    if (next) next();
    else if (slots.running > 1) slots.running -= 1;
    else busy.delete(address);
  };
  const releaser = (address: string) => {
    let released = false;
    return () => {
      if (!released) free(address);
      released = true;
    };
  };
  return {
    async take(address) {
      const slots = busy.get(address) ?? { running: 0, waiting: [] };
      busy.set(address, slots);
      if (slots.running < most) slots.running += 1;
      else await turn(slots.waiting, waitMs);
      return releaser(address);
    },
  };
}

function turn(waiting: (() => void)[], waitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const mine = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      waiting.splice(waiting.indexOf(mine), 1);
      reject(
        new AppError(
          'overloaded',
          'Too many bodies from this address are being read at the moment; try again shortly.',
          {
            retryAfter: 5,
          },
        ),
      );
    }, waitMs);
    waiting.push(mine);
  });
}
