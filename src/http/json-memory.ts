import { AppError } from '../errors.ts';

/** Bytes. Smaller bodies are not counted: what comes of them is little beside what a request takes anyhow. */
export const COUNTED_FROM = 1024 ** 2;
const RETRY_AFTER_SECONDS = 5;

/** What the JSON bodies of all requests that run may hold together: one is in memory whole, as text, and what is read from it as bytes. */
export interface JsonMemory {
  /** Bytes of bodies that are held just now. */
  held(): number;
  /** For one body. */
  open(): JsonRoom;
}

export interface JsonRoom {
  /** `bytes`: how long the body is, or may become. The first that counts is kept. @throws AppError overloaded; nothing is held then */
  need(bytes: number): void;
  /** When the request has ended, whichever way. */
  giveBack(): void;
}

/** @param bytes the bound; a body alone is taken even if it is larger */
export function createJsonMemory(bytes: number): JsonMemory {
  let held = 0;
  return {
    held: () => held,
    open() {
      let own = 0;
      let ended = false;
      return {
        need(wanted) {
          if (ended || own > 0 || !(wanted >= COUNTED_FROM)) return;
          if (held > 0 && held + wanted > bytes)
            throw new AppError(
              'overloaded',
              'There are too many large JSON bodies at a time; try again shortly, or send the file as a raw body or as multipart/form-data.',
              {
                retryAfter: RETRY_AFTER_SECONDS,
                cause: new Error(`${held} bytes of JSON are held; JSON_MEMORY_BYTES bounds them`),
              },
            );
          own = wanted;
          held += own;
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
