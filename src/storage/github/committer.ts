import { setTimeout as sleep } from 'node:timers/promises';
import { type DriverContext, type Lease, StorageError } from '../driver.ts';
import { type Wish, commitMessage, planChanges } from './changes.ts';
import { GithubError } from './errors.ts';
import type { GithubRepository } from './repository.ts';
import type { Trees } from './trees.ts';

/** Larger commits are slow at GitHub, and one refused file fails all of a commit. */
const MAX_CHANGES = 300;
const LEASE_SECONDS = 20;
const RENEW_MS = 5000;
/** Longer than a lease, so that a crashed holder's lease expires within it. */
const MAX_LEASE_WAIT_MS = 60_000;
const MAX_ATTEMPTS = 8;

export interface Committer {
  /**
   * Puts the blob at `path` of the branch; returns when its commit is there. If the signal fires first, the file is removed
   * again; an overwrite whose commit is being made is finished instead.
   * @throws StorageError EXISTS, NOT_A_FILE, UNAVAILABLE
   */
  put(path: string, sha: string, options: { overwrite: boolean; signal?: AbortSignal | undefined }): Promise<void>;
  delete(path: string): Promise<void>;
  /** Ensures that an empty repository has a first commit. */
  begin(): Promise<void>;
  /** Resolves when all requested changes are done. */
  close(): Promise<void>;
}

interface Entry extends Wish {
  aborted: boolean;
  settle(error: unknown): void;
}

/** Gathers the writes of a time window into one commit, with one writer per branch among all replicas. */
export function createCommitter(
  repository: GithubRepository,
  trees: Trees,
  context: DriverContext,
  { leaseName, batchWindowMs }: { leaseName: string; batchWindowMs: number },
): Committer {
  const queue: Entry[] = [];
  let running: Promise<void> | undefined;
  let closing = false;

  function submit(wish: Omit<Wish, 'attempted'>): { entry: Entry; done: Promise<void> } {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const settle = (error: unknown) => (error === undefined ? resolve() : reject(error));
    const entry: Entry = { ...wish, attempted: false, aborted: false, settle };
    queue.push(entry);
    start();
    return { entry, done: promise };
  }

  function start(): void {
    running ??= run().finally(() => {
      running = undefined;
      // An entry may have been added since the queue was last read.
      if (queue.length > 0) start();
    });
  }

  async function run(): Promise<void> {
    while (queue.length > 0) {
      if (!closing) await sleep(batchWindowMs);
      let batch: Entry[] = [];
      try {
        await withLease(async (hold) => {
          // Taken late, so that entries added while another replica was committing go into the same commit.
          batch = queue.splice(0, MAX_CHANGES);
          await commitAll(batch, hold);
        });
      } catch (error) {
        for (const entry of batch.length > 0 ? batch : queue.splice(0)) entry.settle(error);
      }
    }
  }

  /** Runs `work` as the branch's only writer. `hold` throws when the lease was lost. */
  async function withLease(work: (hold: () => void) => Promise<void>): Promise<void> {
    const lease = await takeLease();
    let lost = false;
    // The database may recover before the lease expires; and git itself refuses a second writer.
    const renewing = context.repeat('store-leases', RENEW_MS, async () => {
      lost ||= !(await lease.renew());
    });
    try {
      await work(() => {
        if (lost) throw new StorageError('UNAVAILABLE', 'Another process has taken over the branch', { retryAfter: 2 });
      });
    } finally {
      renewing.stop();
      await lease.release().catch((error: unknown) => {
        context.log('warn', 'a lease could not be given back; it runs out by itself', { err: error });
      });
    }
  }

  async function takeLease(): Promise<Lease> {
    const until = Date.now() + MAX_LEASE_WAIT_MS;
    for (;;) {
      const lease = await context.lease(leaseName, LEASE_SECONDS).catch((error: unknown) => {
        throw new StorageError('UNAVAILABLE', 'The lease for the branch cannot be asked for', { cause: error });
      });
      if (lease) return lease;
      if (Date.now() > until)
        throw new StorageError('UNAVAILABLE', 'Other processes are writing to the branch all the time', {
          retryAfter: 10,
        });
      await sleep(50 + Math.random() * 100);
    }
  }

  /** Commits the changes that are possible. If GitHub refuses the tree, its halves are tried, so that one file fails alone. */
  async function commitAll(batch: readonly Entry[], hold: () => void): Promise<void> {
    try {
      await commit(batch, hold);
    } catch (error) {
      const refused = error instanceof GithubError && error.status === 422;
      if (!refused || batch.length === 1) {
        for (const entry of batch) entry.settle(error);
        return;
      }
      const half = Math.ceil(batch.length / 2);
      await commitAll(batch.slice(0, half), hold);
      await commitAll(batch.slice(half), hold);
    }
  }

  async function commit(batch: readonly Entry[], hold: () => void): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      if (attempt > 1) await sleep(50 * 2 ** Math.min(attempt, 5) * Math.random());
      for (const entry of batch) if (entry.aborted) entry.settle(undefined);
      const entries = batch.filter((entry) => !entry.aborted);
      if (entries.length === 0) return;
      const head = await repository.head();
      if (!head) {
        // Deletions need nothing. For other entries a blob was made and the repository initialised, so it must have vanished.
        const vanished = new StorageError('UNAVAILABLE', 'The repository has become empty');
        for (const entry of entries) entry.settle(entry.kind === 'delete' ? undefined : vanished);
        return;
      }
      const { changes, outcomes } = await planChanges(repository, trees, head, entries);
      if (changes.length > 0) {
        const made = await repository.createCommit(head, commitMessage(changes), changes);
        hold();
        const moved = await repository.moveTo(made).then(
          () => true,
          (error: unknown) => {
            if (!(error instanceof GithubError) || attempt === MAX_ATTEMPTS) throw asBusy(error);
            // The next round sees whether the commit arrived: then its blobs are there already.
            if (error.outcomeUnknown) for (const entry of entries) entry.attempted = true;
            else if (error.status !== 409 && error.status !== 422) throw error;
            return false;
          },
        );
        if (!moved) continue;
      }
      for (const [entry, error] of outcomes) entry.settle(error);
      return;
    }
  }

  async function put(path: string, sha: string, overwrite: boolean, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const { entry, done } = submit({ kind: 'put', path, sha, overwrite });
    const abort = () => {
      const at = queue.indexOf(entry);
      if (at >= 0) {
        queue.splice(at, 1);
        entry.settle(signal?.reason);
      } else if (!overwrite) entry.aborted = true;
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await done;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    if (!entry.aborted) return;
    // Too late to leave the commit, so it is deleted again afterwards.
    await submit({ kind: 'delete', path, sha, overwrite: false }).done;
    throw signal?.reason;
  }

  return {
    put: (path, sha, { overwrite, signal }) => put(path, sha, overwrite, signal),
    delete: (path) => submit({ kind: 'delete', path, sha: undefined, overwrite: false }).done,
    begin: () =>
      withLease(async () => {
        if (!(await repository.head())) await repository.begin();
      }),
    async close() {
      closing = true;
      await running;
    },
  };
}

/** A busy branch is no fault of the files: they are not tried one by one. */
function asBusy(error: unknown): unknown {
  if (!(error instanceof GithubError) || error.limitedFor !== undefined) return error;
  return new StorageError('UNAVAILABLE', `GitHub does not let the branch be moved: ${error.message}`, {
    cause: error,
    retryAfter: 5,
  });
}
