import { AppError } from '../../errors.ts';

/** Bytes. Smaller bodies are not counted: they are little compared with what a request takes anyway. */
const COUNTED_FROM = 64 * 1024;
const RETRY_AFTER_SECONDS = 5;

/** Memory for the bodies of all running requests that are read into memory. */
export interface BodyMemory {
  /** Bytes that bodies hold now. */
  held(): number;
  /** Room for one body. @param proven whether its sender is authenticated */
  open(proven: boolean): BodyRoom;
}

export interface BodyRoom {
  /** Extends the room to `bytes`. @throws AppError overloaded; the room stays as it was */
  grow(bytes: number): void;
  /** Call it when the request has ended, either way. */
  giveBack(): void;
}

/**
 * Bodies of unauthenticated senders share half of it, so that room is left for the others.
 * @param bytes the bound; a single body is accepted even if it is larger
 */
export function createBodyMemory(bytes: number): BodyMemory {
  const pools = { proven: 0, strangers: 0 };
  const held = () => pools.proven + pools.strangers;
  return {
    held,
    open(proven) {
      const pool = proven ? 'proven' : 'strangers';
      let own = 0;
      let ended = false;
      /** Whether a body fits into a pool beside those of others. */
      const fits = (others: number, wanted: number, most: number) => others === 0 || others + wanted <= most;
      return {
        grow(wanted) {
          if (ended || wanted < COUNTED_FROM || wanted <= own) return;
          const roomy = fits(held() - own, wanted, bytes) && (proven || fits(pools.strangers - own, wanted, bytes / 2));
          if (!roomy)
            throw new AppError(
              'overloaded',
              'Too many large bodies are being read at the moment; try again shortly, or send the file as a raw body or as multipart/form-data.',
              {
                retryAfter: RETRY_AFTER_SECONDS,
                cause: new Error(`${held()} bytes of bodies are held; JSON_MEMORY_BYTES bounds them`),
              },
            );
          pools[pool] += wanted - own;
          own = wanted;
        },
        giveBack() {
          ended = true;
          pools[pool] -= own;
          own = 0;
        },
      };
    },
  };
}
