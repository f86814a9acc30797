import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { deflateSync, inflateSync } from 'node:zlib';

const run = promisify(execFile);

export interface GitTreeEntry {
  mode: string;
  name: string;
  sha: string;
}

export interface GitCommitObject {
  sha: string;
  tree: string;
  parents: string[];
  date: string;
}

/**
 * A bare git repository on disk. References, histories and checks use git's own commands; this process writes objects as git's
 * loose files, because a process for each of a thousand blobs would take most of a test's time.
 */
export interface BareRepository {
  folder: string;
  /** Runs git on the repository; returns its output. @throws when it fails */
  git(...words: string[]): Promise<string>;
  head(branch: string): Promise<string | undefined>;
  /** Moves a branch from `old` (undefined: it does not exist) to `sha`, atomically. */
  move(branch: string, sha: string, old: string | undefined): Promise<boolean>;
  write(type: 'blob' | 'tree' | 'commit', content: Buffer): Promise<string>;
  read(sha: string): Promise<{ type: string; content: Buffer } | undefined>;
  tree(sha: string): Promise<GitTreeEntry[] | undefined>;
  commit(sha: string): Promise<GitCommitObject | undefined>;
  /** A tree like `base` with `changes`; undefined when a file to delete does not exist. */
  change(
    base: string | undefined,
    changes: readonly { path: string; sha: string | null; mode: string }[],
  ): Promise<string | undefined>;
  createCommit(tree: string, parents: readonly string[], message: string): Promise<string>;
  /** A foreign commit, directly on the branch. */
  push(branch: string, files: Record<string, string | null>): Promise<string>;
  /** Paths of all files in the branch. */
  files(branch: string, below?: string): Promise<string[]>;
  commits(branch: string): Promise<string[]>;
  /** @throws with git's complaint when any object is invalid */
  check(): Promise<void>;
  remove(): Promise<void>;
}

export async function createBareRepository(): Promise<BareRepository> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mediakeep-git-'));
  const git = async (...words: string[]) => {
    const { stdout } = await run('git', ['--git-dir', folder, ...words], { maxBuffer: 64 * 1024 ** 2 });
    return stdout;
  };
  await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', folder]);
  await git('config', 'gc.auto', '0');
  const known = new Map<string, Promise<{ type: string; content: Buffer } | undefined>>();
  const fileOf = (sha: string) => path.join(folder, 'objects', sha.slice(0, 2), sha.slice(2));

  const repository: BareRepository = {
    folder,
    git,
    head: async (branch) =>
      (await git('rev-parse', '--verify', '--quiet', `refs/heads/${branch}`).catch(() => '')).trim() || undefined,
    move: (branch, sha, old) =>
      git('update-ref', `refs/heads/${branch}`, sha, old ?? '0'.repeat(40)).then(
        () => true,
        () => false,
      ),

    async write(type, content) {
      const whole = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
      const sha = createHash('sha1').update(whole).digest('hex');
      const file = fileOf(sha);
      await mkdir(path.dirname(file), { recursive: true });
      const temporary = `${file}.${randomUUID()}`;
      await writeFile(temporary, deflateSync(whole, { level: 1 }));
      await rename(temporary, file);
      return sha;
    },

    async read(sha) {
      const cached = known.get(sha);
      if (cached) return cached;
      if (!/^[0-9a-f]{40}$/.test(sha)) return undefined;
      const compressed = await readFile(fileOf(sha)).catch(() => undefined);
      if (!compressed) return undefined;
      const whole = inflateSync(compressed);
      const end = whole.indexOf(0);
      const found = { type: whole.toString('latin1', 0, whole.indexOf(32)), content: whole.subarray(end + 1) };
      if (found.type !== 'blob') known.set(sha, Promise.resolve(found));
      return found;
    },

    async tree(sha) {
      const found = await repository.read(sha);
      if (found?.type !== 'tree') return undefined;
      const entries: GitTreeEntry[] = [];
      for (let at = 0; at < found.content.length;) {
        const space = found.content.indexOf(32, at);
        const end = found.content.indexOf(0, space);
        entries.push({
          mode: found.content.toString('latin1', at, space),
          name: found.content.toString('utf8', space + 1, end),
          sha: found.content.toString('hex', end + 1, end + 21),
        });
        at = end + 21;
      }
      return entries;
    },

    async commit(sha) {
      const found = await repository.read(sha);
      if (found?.type !== 'commit') return undefined;
      const text = found.content.toString('utf8');
      const seconds = Number(/^committer .*> (\d+) /m.exec(text)?.[1]);
      return {
        sha,
        tree: /^tree (\S+)$/m.exec(text)?.[1] ?? '',
        parents: [...text.matchAll(/^parent (\S+)$/gm)].map((match) => match[1] ?? ''),
        date: new Date(seconds * 1000).toISOString(),
      };
    },

    async change(base, changes) {
      const entries = new Map(
        (base === undefined ? [] : ((await repository.tree(base)) ?? [])).map((entry) => [entry.name, entry]),
      );
      const below = new Map<string, { path: string; sha: string | null; mode: string }[]>();
      for (const change of changes) {
        const [name = '', ...rest] = change.path.split('/');
        if (rest.length > 0) below.set(name, [...(below.get(name) ?? []), { ...change, path: rest.join('/') }]);
        else if (change.sha !== null) entries.set(name, { mode: change.mode, name, sha: change.sha });
        else if (!entries.delete(name)) return undefined;
      }
      for (const [name, inside] of below) {
        const there = entries.get(name);
        const made = await repository.change(there?.mode === '40000' ? there.sha : undefined, inside);
        if (made === undefined) return undefined;
        if (made === EMPTY_TREE) entries.delete(name);
        else entries.set(name, { mode: '40000', name, sha: made });
      }
      // Git sorts by bytes, folders as if their names ended in a slash.
      const sorted = [...entries.values()]
        .map((entry) => ({ entry, name: Buffer.from(entry.mode === '40000' ? `${entry.name}/` : entry.name) }))
        .toSorted((a, b) => Buffer.compare(a.name, b.name));
      const parts = sorted.flatMap(({ entry }) => [
        Buffer.from(`${entry.mode} ${entry.name}\0`),
        Buffer.from(entry.sha, 'hex'),
      ]);
      return repository.write('tree', Buffer.concat(parts));
    },

    async createCommit(tree, parents, message) {
      const when = `${Math.floor(Date.now() / 1000)} +0000`;
      const who = `somebody <somebody@example.com> ${when}`;
      const lines = [
        `tree ${tree}`,
        ...parents.map((parent) => `parent ${parent}`),
        `author ${who}`,
        `committer ${who}`,
      ];
      return repository.write('commit', Buffer.from(`${lines.join('\n')}\n\n${message}`));
    },

    async push(branch, files) {
      const head = await repository.head(branch);
      const base = head === undefined ? undefined : (await repository.commit(head))?.tree;
      const changes = await Promise.all(
        Object.entries(files).map(async ([file, text]) => ({
          path: file,
          mode: '100644',
          sha: text === null ? null : await repository.write('blob', Buffer.from(text)),
        })),
      );
      const tree = await repository.change(base, changes);
      if (tree === undefined) throw new Error('there is no such file to remove');
      const commit = await repository.createCommit(tree, head === undefined ? [] : [head], 'by hand\n');
      if (!(await repository.move(branch, commit, head))) throw new Error('the branch has moved');
      return commit;
    },

    async files(branch, below) {
      if ((await repository.head(branch)) === undefined) return [];
      const words = ['ls-tree', '-r', '-z', '--name-only', '--full-tree', `refs/heads/${branch}`];
      const listed = (await git(...words)).split('\0').filter(Boolean);
      return listed.filter((file) => below === undefined || file.startsWith(`${below}/`));
    },

    commits: async (branch) => (await git('rev-list', `refs/heads/${branch}`)).split('\n').filter(Boolean),

    async check() {
      const { stdout, stderr } = await run('git', [
        '--git-dir',
        folder,
        'fsck',
        '--strict',
        '--no-dangling',
        '--no-progress',
      ]);
      // An unborn branch is no fault.
      const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !line.startsWith('notice:'));
      if (complaints.length > 0) throw new Error(`git fsck: ${complaints.join('\n')}`);
    },

    remove: () => rm(folder, { recursive: true, force: true }),
  };
  return repository;
}

const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';
