import { type FileHandle, open } from 'node:fs/promises';
import { descriptorPath } from './paths.ts';
import { syncOpenFolder } from './write.ts';

/** A folder that is being written into. */
export interface SharedFolder {
  /** Makes the names that are in it by now durable. */
  sync(): Promise<void>;
  /** To be called once, at the end. */
  leave(): void;
}

interface Entry {
  handle: Promise<FileHandle>;
  /** Tells whether the descriptor is still the folder of that name. */
  holds: () => boolean;
  users: number;
  running: Promise<void> | undefined;
  next: Promise<void> | undefined;
  /** The system tells a descriptor once of what it could not write; a later sync of it would know nothing of that. */
  failure: { error: unknown } | undefined;
}

/**
 * Folders for many writers at once. They share the descriptor, which is open while somebody writes, and the syncs: those who come
 * while one is running share the next one, because the running one may have begun before their name was there.
 */
export class SharedFolders {
  readonly #entries = new Map<string, Entry>();
  readonly #open: (folder: string) => Promise<FileHandle>;
  readonly #sync: (handle: FileHandle) => Promise<void>;
  readonly #pathOf: (handle: FileHandle) => string | undefined;

  constructor({
    open: openFolder = (folder: string) => open(folder, 'r'),
    sync = syncOpenFolder,
    pathOf = (handle: FileHandle) => descriptorPath(handle.fd),
  } = {}) {
    this.#open = openFolder;
    this.#sync = sync;
    this.#pathOf = pathOf;
  }

  enter(folder: string): SharedFolder {
    const known = this.#entries.get(folder);
    // A folder that was removed or moved takes no new names: to sync it would make nothing durable.
    const entry = known && !known.failure && known.holds() ? known : this.#begin(folder);
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
    const entry: Entry = {
      handle: this.#open(folder),
      holds: () => true,
      users: 0,
      running: undefined,
      next: undefined,
      failure: undefined,
    };
    entry.handle.then(
      (handle) => {
        const opened = this.#pathOf(handle);
        entry.holds = () => this.#pathOf(handle) === opened;
      },
      // Whoever syncs hears of it; who comes from now on tries again.
      (error: unknown) => (entry.failure = { error }),
    );
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

  async #run(entry: Entry): Promise<void> {
    if (entry.failure) throw entry.failure.error;
    const running = entry.handle.then((handle) => this.#sync(handle));
    entry.running = running;
    try {
      await running;
    } catch (error) {
      entry.failure ??= { error };
      throw error;
    } finally {
      if (entry.running === running) entry.running = undefined;
    }
  }
}
