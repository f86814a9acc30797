import type { GithubRepository, Tree, TreeEntry } from './repository.ts';

/** Cached entries of all trees: some 50 MB. */
const MAX_CACHED_ENTRIES = 200_000;

/** Trees by their sha. A sha's tree never changes, so only what a commit changed is fetched again. */
export interface Trees {
  children(sha: string): Promise<Tree>;
  /** Everything below, with paths, if it fits into one response. */
  below(sha: string): Promise<Tree>;
}

export function createTrees(repository: GithubRepository): Trees {
  const cache = new Map<string, { tree: Promise<Tree>; size: number }>();
  let cached = 0;
  const fetched = (sha: string, recursive: boolean): Promise<Tree> => {
    const name = `${recursive ? 'below' : 'children'} ${sha}`;
    const known = cache.get(name);
    cache.delete(name);
    const entry = known ?? { tree: repository.tree(sha, recursive), size: 0 };
    cache.set(name, entry);
    if (!known)
      entry.tree.then(
        ({ entries }) => {
          // It was dropped while it was being fetched.
          if (cache.get(name) !== entry) return;
          entry.size = entries.length + 1;
          cached += entry.size;
          for (const [oldest, { size }] of cache) {
            if (cached <= MAX_CACHED_ENTRIES) break;
            cache.delete(oldest);
            cached -= size;
          }
        },
        () => cache.get(name) === entry && cache.delete(name),
      );
    return entry.tree;
  };
  return { children: (sha) => fetched(sha, false), below: (sha) => fetched(sha, true) };
}

/** Result of a walk to a path: the entry there, `file` if one of its folders is a file, `unknown` if a folder is too large to list. */
export type Lookup = TreeEntry | 'file' | 'unknown' | undefined;

export async function lookUp(trees: Trees, root: string, path: string): Promise<Lookup> {
  const names = path.split('/');
  let sha = root;
  for (const [depth, name] of names.entries()) {
    const { entries, truncated } = await trees.children(sha);
    const found = entries.find((entry) => entry.path === name);
    if (!found) return truncated ? 'unknown' : undefined;
    if (depth === names.length - 1) return found;
    if (found.type !== 'tree') return 'file';
    sha = found.sha;
  }
  return undefined;
}

/**
 * Files below the tree `sha` whose path starts with `prefix` and sorts after `after`, in order of code units. Hidden files, links
 * and submodules are left out. `folder` is the path of the tree itself, empty or ending in a slash.
 */
export async function* walk(
  trees: Trees,
  sha: string,
  folder: string,
  prefix: string,
  after: string,
): AsyncGenerator<{ key: string; bytes: number }> {
  // Fetch the whole tree at once, unless only a part of it is wanted.
  const whole = folder.startsWith(prefix) ? await trees.below(sha) : undefined;
  const { entries } = whole && !whole.truncated ? whole : await trees.children(sha);
  // A folder sorts as if its name ended in a slash, as its keys do.
  const named = entries
    .filter((entry) => whole?.truncated !== false || entry.type !== 'tree')
    .map((entry) => ({ entry, path: folder + entry.path + (entry.type === 'tree' ? '/' : '') }))
    .filter(({ entry }) => !`/${entry.path}`.includes('/.'));
  named.sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { entry, path } of named) {
    if (entry.type === 'tree') {
      const mayHold = path.startsWith(prefix) || prefix.startsWith(path);
      if (mayHold && (after < path || after.startsWith(path))) yield* walk(trees, entry.sha, path, prefix, after);
    } else if (entry.type === 'blob' && entry.mode !== '120000' && path.startsWith(prefix) && path > after) {
      yield { key: path, bytes: entry.size ?? 0 };
    }
  }
}
