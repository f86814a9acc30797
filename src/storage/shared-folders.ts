import { type FileHandle, open } from 'node:fs/promises';
import { syncOpenFolder } from './local-write.ts';

/** A folder that is being written into. */
export interface SharedFolder {
  /** Makes the names that are in it by now durable. */
  sync(): Promise<void>;
  /** To be called once, at the end. */
  leave(): void;
}

interface Entry {
  handle: Promise<FileHandle>;
  users: number;
  running: Promise<void> | undefined;
  next: Promise<void> | undefined;
}

/**
 * Folders for many writers at once. They share the descriptor, which is open while somebody writes, and the syncs: those who come
 * while one is running share the next one, because the running one may have begun before their name was there.
 */
export class SharedFolders {
  readonly #entries = new Map<string, Entry>();
  readonly #open: (folder: string) => Promise<FileHandle>;
  readonly #sync: (handle: FileHandle) => Promise<void>;

  constructor({ open: openFolder = (folder: string) => open(folder, 'r'), sync = syncOpenFolder } = {}) {
    this.#open = openFolder;
    this.#sync = sync;
  }

  enter(folder: string): SharedFolder {
    const entry = this.#entries.get(folder) ?? this.#begin(folder);
    entry.users += 1;
    return {
      sync: () => this.#share(entry),
      leave: () => {
        entry.users -= 1;
        if (entry.users > 0) return;
        if (this.#entries.get(folder) === entry) this.#entries.delete(folder);
        // A descriptor that nothing was written through has nothing to tell.
        entry.handle.then((handle) => handle.close()).catch(() => {});
      },
    };
  }

  /** Whoever enters from now on opens the folder anew: it was replaced by another one. */
  forget(folder: string): void {
    this.#entries.delete(folder);
  }

  #begin(folder: string): Entry {
    const entry = { handle: this.#open(folder), users: 0, running: undefined, next: undefined };
    // Whoever syncs hears of it.
    entry.handle.catch(() => {});
    this.#entries.set(folder, entry);
    return entry;
  }

  #share(entry: Entry): Promise<void> {
    if (!entry.running) return this.#run(entry);
    const after = () => {
      entry.next = undefined;
      return this.#run(entry);
    };
    entry.next ??= entry.running.then(after, after);
    return entry.next;
  }

  #run(entry: Entry): Promise<void> {
    const running = entry.handle.then((handle) => this.#sync(handle));
    entry.running = running;
    const ended = () => {
      if (entry.running === running) entry.running = undefined;
    };
    running.then(ended, ended);
    return running;
  }
}
