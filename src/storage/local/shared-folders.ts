import { type FileHandle, open } from 'node:fs/promises';
import { descriptorPath } from './paths.ts';
import { syncOpenFolder } from './write.ts';

/** A folder that is being written into. */
export interface SharedFolder {
  /** Makes the names that are in it now durable. */
  sync(): Promise<void>;
  /** Call it once, at the end. */
  leave(): void;
}

interface Entry {
  handle: Promise<FileHandle>;
  /** Whether the descriptor is still the folder of that name. */
  holds: () => boolean;
  users: number;
  running: Promise<void> | undefined;
  next: Promise<void> | undefined;
  /** The system reports a failed write to a descriptor only once; a later sync would not. */
  failure: { error: unknown } | undefined;
}

/**
 * Folders with many concurrent writers. They share the descriptor, which is open while anyone writes, and the syncs: writers that
 * arrive during a sync share the next one, because the running one may have begun before their name existed.
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
    // A folder that was removed or moved takes no new names: syncing it would make nothing durable.
    const entry = known && !known.failure && known.holds() ? known : this.#begin(folder);
    entry.users += 1;
    return {
      sync: () => this.#share(entry),
      leave: () => {
        entry.users -= 1;
        if (entry.users > 0) return;
        if (this.#entries.get(folder) === entry) this.#entries.delete(folder);
        // Closing a descriptor that nothing was written through reports nothing of interest.
        entry.handle.then((handle) => handle.close()).catch(() => {});
      },
    };
  }

  /** Later writers open the folder anew: it was replaced by another one. */
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
      // The callers of this sync get the error; later ones try again.
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
