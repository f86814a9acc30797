import type { BareRepository } from './bare-repository.ts';

export interface FakeAnswer {
  status: number;
  body?: unknown;
  raw?: Buffer;
}

export interface FakeState {
  git: BareRepository;
  owner: string;
  repo: string;
  private: boolean;
  archived: boolean;
  /** Maximum tree entries in one response: real ones have 100,000. */
  treeLimit: number;
  /** A name that no tree may contain, besides those that git refuses. */
  refusedName: string;
}

interface Call {
  state: FakeState;
  query: URLSearchParams;
  body: Record<string, unknown>;
  accept: string;
  /** The groups that the route matched, decoded. */
  words: string[];
}

type Route = [method: string, path: RegExp, handler: (call: Call) => Promise<FakeAnswer>];

const EMPTY: FakeAnswer = { status: 409, body: { message: 'Git Repository is empty.' } };
const NOT_FOUND: FakeAnswer = { status: 404, body: { message: 'Not Found' } };
const refused = (message: string): FakeAnswer => ({ status: 422, body: { message } });
const SMALL = 1024 ** 2;

/** The routes of one repository, below `/repos/{owner}/{repo}`. */
export const ROUTES: Route[] = [
  [
    'GET',
    /^$/,
    async ({ state }) => ({
      status: 200,
      body: {
        full_name: `${state.owner}/${state.repo}`,
        private: state.private,
        archived: state.archived,
        disabled: false,
        default_branch: 'main',
      },
    }),
  ],
  [
    'GET',
    /^\/git\/ref\/heads\/(.+)$/,
    async ({ state: { git }, words: [branch = ''] }) => {
      if (await isEmpty(git)) return EMPTY;
      const sha = await git.head(branch);
      if (sha === undefined) return NOT_FOUND;
      return { status: 200, body: { ref: `refs/heads/${branch}`, object: { type: 'commit', sha } } };
    },
  ],
  [
    'PATCH',
    /^\/git\/refs\/heads\/(.+)$/,
    async ({ state: { git }, body, words: [branch = ''] }) => {
      const sha = text(body['sha']);
      const old = await git.head(branch);
      if (old === undefined) return refused('Reference does not exist');
      if (!(await git.commit(sha))) return refused('Object does not exist');
      if (body['force'] === true) throw new Error('the driver must never force');
      const forward = await git.git('merge-base', '--is-ancestor', old, sha).then(
        () => true,
        () => false,
      );
      if (!forward || !(await git.move(branch, sha, old))) return refused('Update is not a fast forward');
      return { status: 200, body: { ref: `refs/heads/${branch}`, object: { type: 'commit', sha } } };
    },
  ],
  [
    'GET',
    /^\/git\/commits\/([0-9a-f]{40})$/,
    async ({ state: { git }, words: [sha = ''] }) => commitAnswer(git, sha, 200),
  ],
  [
    'POST',
    /^\/git\/commits$/,
    async ({ state: { git }, body }) => {
      if (await isEmpty(git)) return EMPTY;
      const tree = text(body['tree']);
      if (!(await git.tree(tree))) return refused(`Tree SHA does not exist`);
      return commitAnswer(git, await git.createCommit(tree, body['parents'] as string[], text(body['message'])), 201);
    },
  ],
  [
    'POST',
    /^\/git\/blobs$/,
    async ({ state: { git }, body }) => {
      if (await isEmpty(git)) return EMPTY;
      const bytes = Buffer.from(text(body['content']), body['encoding'] === 'base64' ? 'base64' : 'utf8');
      return { status: 201, body: { sha: await git.write('blob', bytes) } };
    },
  ],
  [
    'GET',
    /^\/git\/blobs\/([0-9a-f]{40})$/,
    async ({ state: { git }, accept, words: [sha = ''] }) => {
      const found = await git.read(sha);
      if (found?.type !== 'blob') return NOT_FOUND;
      if (/\.raw\b/.test(accept)) return { status: 200, raw: found.content };
      const content = found.content.toString('base64');
      return { status: 200, body: { sha, size: found.content.length, encoding: 'base64', content } };
    },
  ],
  [
    'GET',
    /^\/git\/trees\/([0-9a-f]{40})$/,
    async ({ state: { git, treeLimit }, query, words: [sha = ''] }) => {
      const tree = await listTree(git, sha, query.has('recursive'));
      if (!tree) return NOT_FOUND;
      return { status: 200, body: { sha, tree: tree.slice(0, treeLimit), truncated: tree.length > treeLimit } };
    },
  ],
  [
    'POST',
    /^\/git\/trees$/,
    async ({ state: { git, refusedName }, body }) => {
      if (await isEmpty(git)) return EMPTY;
      const changes = body['tree'] as { path: string; mode: string; type: string; sha: string | null }[];
      for (const { path, sha } of changes) {
        if (path.startsWith('/')) return refused('tree.path cannot start with a slash');
        if (path.split('/').some((part) => part === refusedName || /^(|\.|\.\.|\.git|git~1)$/i.test(part)))
          return refused('tree.path contains a malformed path component');
        if (sha !== null && (await git.read(sha))?.type !== 'blob')
          return refused(`tree.sha ${sha} is not a valid blob`);
      }
      const base = body['base_tree'] === undefined ? undefined : text(body['base_tree']);
      if (base !== undefined && !(await git.tree(base))) return refused('base_tree is not a valid tree oid');
      const made = await git.change(base, changes);
      if (made === undefined) return refused('GitRPC::BadObjectState');
      return { status: 201, body: { sha: made, tree: await listTree(git, made, false), truncated: false } };
    },
  ],
  [
    'GET',
    /^\/contents\/(.+)$/,
    async ({ state: { git }, query, accept, words: [path = ''] }) => {
      if (await isEmpty(git)) return { status: 404, body: { message: 'This repository is empty.' } };
      const ref = query.get('ref') ?? 'main';
      const commit = await git.commit((await git.head(ref.replace(/^refs\/heads\//, ''))) ?? ref);
      if (!commit) return { status: 404, body: { message: `No commit found for the ref ${ref}` } };
      const found = await at(git, commit.tree, path);
      if (!found) return NOT_FOUND;
      if (!accept.includes('object')) throw new Error('the driver asks for objects');
      if (found.mode === '40000') return { status: 200, body: { type: 'dir', sha: found.sha, size: 0, entries: [] } };
      const bytes = (await git.read(found.sha))?.content ?? Buffer.alloc(0);
      const small = bytes.length <= SMALL;
      // GitHub breaks its base64 into lines.
      const content = small ? bytes.toString('base64').replace(/.{60}/g, '$&\n') : '';
      const encoding = small ? 'base64' : 'none';
      return { status: 200, body: { type: 'file', sha: found.sha, size: bytes.length, encoding, content } };
    },
  ],
  [
    'PUT',
    /^\/contents\/(.+)$/,
    async ({ state: { git }, body, words: [path = ''] }) => {
      const branch = text(body['branch'] ?? 'main');
      const head = await git.head(branch);
      if (head === undefined && !(await isEmpty(git)))
        return { status: 404, body: { message: `Branch ${branch} not found` } };
      const base = head === undefined ? undefined : (await git.commit(head))?.tree;
      if (base !== undefined && (await at(git, base, path))) return refused('"sha" wasn\'t supplied.');
      const sha = await git.write('blob', Buffer.from(text(body['content']), 'base64'));
      const tree = (await git.change(base, [{ path, mode: '100644', sha }])) ?? '';
      const commit = await git.createCommit(tree, head === undefined ? [] : [head], text(body['message']));
      if (!(await git.move(branch, commit, head))) return { status: 409, body: { message: 'is at another commit' } };
      return { status: 201, body: { content: { sha }, commit: { sha: commit } } };
    },
  ],
  [
    'GET',
    /^\/commits$/,
    async ({ state: { git }, query }) => {
      if (await isEmpty(git)) return EMPTY;
      const path = `:(literal)${query.get('path') ?? ''}`;
      const line = await git.git('log', '-1', '--format=%H %cI', query.get('sha') ?? 'main', '--', path);
      const [sha, date] = line.trim().split(' ');
      return { status: 200, body: sha ? [{ sha, commit: { committer: { date } } }] : [] };
    },
  ],
];

const begun = new WeakSet<BareRepository>();

/** Asks git until there is a branch; a repository never becomes empty again. */
async function isEmpty(git: BareRepository): Promise<boolean> {
  if (begun.has(git)) return false;
  if ((await git.git('for-each-ref', '--count=1', 'refs/heads')) === '') return true;
  begun.add(git);
  return false;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

async function commitAnswer(git: BareRepository, sha: string, status: number): Promise<FakeAnswer> {
  const commit = await git.commit(sha);
  if (!commit) return NOT_FOUND;
  return { status, body: { sha, tree: { sha: commit.tree }, committer: { date: commit.date } } };
}

/** The entry at a path of a tree. */
export async function at(git: BareRepository, root: string, path: string) {
  let sha = root;
  let found;
  for (const name of path.split('/')) {
    found = (await git.tree(sha))?.find((entry) => entry.name === name);
    if (!found) return undefined;
    sha = found.sha;
  }
  return found;
}

interface ListedEntry {
  path: string;
  mode: string;
  type: string;
  sha: string;
  size?: number;
}

async function listTree(
  git: BareRepository,
  sha: string,
  recursive: boolean,
  folder = '',
): Promise<ListedEntry[] | undefined> {
  const entries = await git.tree(sha);
  if (!entries) return undefined;
  const listed: ListedEntry[] = [];
  for (const { mode, name, sha } of entries) {
    const isTree = mode === '40000';
    const path = folder + name;
    const size = isTree ? undefined : (sizes.get(sha) ?? (await git.read(sha))?.content.length);
    if (size !== undefined) sizes.set(sha, size);
    listed.push({
      path,
      mode: mode.padStart(6, '0'),
      type: isTree ? 'tree' : 'blob',
      sha,
      ...(size !== undefined && { size }),
    });
    if (isTree && recursive) listed.push(...((await listTree(git, sha, true, `${path}/`)) ?? []));
  }
  return listed;
}

const sizes = new Map<string, number>();
