import { AppError } from '../../errors.ts';

/** Bytes. Smaller bodies are not counted: what becomes of them is little beside what a request takes anyway. */
const COUNTED_FROM = 64 * 1024;
const RETRY_AFTER_SECONDS = 5;

/** What the bodies that are read into memory may hold together, over all requests that are running. */
export interface BodyMemory {
  /** Bytes that bodies hold now. */
  held(): number;
  /** For one body. */
  open(): BodyRoom;
}

export interface BodyRoom {
  /** Makes room for `bytes` in all. @throws AppError overloaded; the room stays as it was */
  grow(bytes: number): void;
  /** Call it when the request has ended, either way. */
  giveBack(): void;
}

/** @param bytes the bound; a body alone is taken even if it is larger */
export function createBodyMemory(bytes: number): BodyMemory {
  let held = 0;
  return {
    held: () => held,
    open() {
      let own = 0;
      let ended = false;
      return {
        grow(wanted) {
          if (ended || wanted < COUNTED_FROM || wanted <= own) return;
          const others = held - own;
          if (others > 0 && others + wanted > bytes)
            throw new AppError(
              'overloaded',
              'Too many large bodies are being read at the moment; try again shortly, or send the file as a raw body or as multipart/form-data.',
              {
                retryAfter: RETRY_AFTER_SECONDS,
                cause: new Error(`${held} bytes of bodies are held; JSON_MEMORY_BYTES bounds them`),
              },
            );
          held += wanted - own;
          own = wanted;
        },
        giveBack() {
          ended = true;
          held -= own;
          own = 0;
        },
      };
    },
  };
}
