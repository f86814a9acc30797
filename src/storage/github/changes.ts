import { StorageError } from '../driver.ts';
import type { Change, Commit, GithubRepository } from './repository.ts';
import { type Lookup, type Trees, lookUp } from './trees.ts';

/** A requested change of one path. */
export interface Wish {
  kind: 'put' | 'delete';
  path: string;
  /** For a put: the new blob. For a delete: if given, only this blob is removed. */
  sha: string | undefined;
  overwrite: boolean;
  /** An earlier commit of it may have arrived, so finding it there is not a conflict. */
  attempted: boolean;
}

export interface Plan<T extends Wish> {
  changes: Change[];
  /** The outcome of each request once the changes are on the branch. */
  outcomes: Map<T, StorageError | undefined>;
}

/** Decides against the commit `head`, in order, which requests can be granted, and the resulting changes. */
export async function planChanges<T extends Wish>(
  repository: GithubRepository,
  trees: Trees,
  head: Commit,
  wishes: readonly T[],
): Promise<Plan<T>> {
  const paths = [...new Set(wishes.map((wish) => wish.path))];
  const before = new Map(await Promise.all(paths.map(async (path) => [path, await lookSharply(path)] as const)));
  /** Blobs by path after the changes; of other paths, only those that the walks have seen. */
  const after = new Map<string, string | undefined>();
  for (const path of paths) {
    const found = before.get(path);
    after.set(path, typeof found === 'object' && found.type !== 'tree' ? found.sha : undefined);
  }
  const outcomes = new Map<T, StorageError | undefined>();
  for (const wish of wishes) outcomes.set(wish, grant(wish));
  const changes = paths.flatMap((path) => {
    const found = before.get(path);
    const was = typeof found === 'object' && found.type !== 'tree' ? found.sha : undefined;
    const is = after.get(path);
    return was === is ? [] : [{ path, sha: is ?? null }];
  });
  return { changes, outcomes };

  function grant({ kind, path, sha, overwrite, attempted }: Wish): StorageError | undefined {
    const there = after.get(path);
    if (kind === 'delete') {
      if (sha === undefined || sha === there) after.set(path, undefined);
      return undefined;
    }
    const found = before.get(path);
    const isFolder = (typeof found === 'object' && found.type === 'tree') || willHold(`${path}/`);
    if (isFolder && overwrite) return new StorageError('NOT_A_FILE', 'There is a folder of that name');
    if (isFolder || (there !== undefined && !overwrite && !(attempted && there === sha)))
      return new StorageError('EXISTS', 'There is an object of that key already');
    // Git would remove the file to make room for the folder.
    if (found === 'file' || isBelowFile(path)) return new StorageError('NOT_A_FILE', 'The key leads through a file');
    after.set(path, sha);
    return undefined;
  }

  function willHold(folder: string): boolean {
    for (const [path, sha] of after) if (sha !== undefined && path.startsWith(folder)) return true;
    return false;
  }

  function isBelowFile(path: string): boolean {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1))
      if (after.get(path.slice(0, at)) !== undefined) return true;
    return false;
  }

  async function lookSharply(path: string): Promise<Lookup> {
    const found = await lookUp(trees, head.tree, path);
    if (found !== 'unknown') return found;
    const there = await repository.find(path, { at: head.sha });
    return there && { path, sha: there.sha, mode: '100644', type: there.type === 'dir' ? 'tree' : 'blob' };
  }
}

/** A message of numbers only: a caller's text could be read as a trailer that names an author or closes an issue. */
export function commitMessage(changes: readonly Change[]): string {
  const files = (count: number) => `${count} ${count === 1 ? 'file' : 'files'}`;
  const stored = changes.filter((change) => change.sha !== null).length;
  const removed = changes.length - stored;
  if (removed === 0) return `mediakeep: store ${files(stored)}`;
  return stored === 0 ? `mediakeep: remove ${files(removed)}` : `mediakeep: store ${files(stored)}, remove ${removed}`;
}
