import { createHash } from 'node:crypto';
import { StorageError } from '../driver.ts';
import type { GithubClient } from './client.ts';
import { GithubError } from './errors.ts';
import type { GithubPlace } from './options.ts';

export interface Commit {
  sha: string;
  tree: string;
  date: Date;
}

export interface TreeEntry {
  /** Name inside of the tree; in a recursive one, the path below it. */
  path: string;
  mode: string;
  type: 'blob' | 'tree' | 'commit';
  sha: string;
  size?: number;
}

export interface Tree {
  entries: TreeEntry[];
  /** Incomplete: there are more than fit into one response. */
  truncated: boolean;
}

/** The entry at a path of the branch. */
export interface FoundPath {
  type: string;
  sha: string;
  size: number;
  /** Present for small files only. */
  content: Buffer | undefined;
}

/** A path and its new blob; null: delete. */
export interface Change {
  path: string;
  sha: string | null;
}

/** One branch of one repository through the Git Data API. @throws GithubError */
export interface GithubRepository {
  /** The branch's newest commit; undefined while the repository is empty. */
  head(): Promise<Commit | undefined>;
  tree(sha: string, recursive: boolean): Promise<Tree>;
  /** The entry at `path` in the branch, or in the commit `at`. */
  find(path: string, options: { at?: string; signal?: AbortSignal | undefined }): Promise<FoundPath | undefined>;
  /** Time of the newest commit that changed `path`. */
  changedAt(path: string): Promise<Date | undefined>;
  blob(sha: string, signal: AbortSignal | undefined): Promise<ReadableStream<Uint8Array>>;
  createBlob(bytes: Buffer, signal: AbortSignal | undefined): Promise<string>;
  createCommit(parent: Commit, message: string, changes: readonly Change[]): Promise<Commit>;
  /** Moves the branch forward to `commit`. Refused (409, 422) when the branch has moved since. */
  moveTo(commit: Commit): Promise<void>;
  /** Creates the first commit of an empty repository, on our branch: the Git Data API works only after that. */
  begin(): Promise<void>;
}

interface GitCommit {
  sha: string;
  tree: { sha: string };
  committer: { date: string };
}

const REPO = '/repos/{owner}/{repo}';

export function createGithubRepository(client: GithubClient, { branch, directory }: GithubPlace): GithubRepository {
  const ref = `heads/${branch}`;
  let newest: Commit | undefined;

  return {
    async head() {
      try {
        const { object } = await client.json<{ object: { sha: string } }>({
          route: `GET ${REPO}/git/ref/{ref}`,
          params: { ref },
        });
        if (newest?.sha === object.sha) return newest;
        newest = asCommit(
          await client.json<GitCommit>({ route: `GET ${REPO}/git/commits/{sha}`, params: { sha: object.sha } }),
        );
        return newest;
      } catch (error) {
        if (error instanceof GithubError && error.repositoryEmpty) return undefined;
        throw error;
      }
    },

    async tree(sha, recursive) {
      const { tree, truncated } = await client.json<{ tree: TreeEntry[]; truncated: boolean }>({
        route: `GET ${REPO}/git/trees/{sha}`,
        params: { sha, ...(recursive && { recursive: '1' }) },
      });
      return { entries: tree, truncated };
    },

    async find(path, { at, signal }) {
      try {
        const found = await client.json<{
          type: string;
          sha: string;
          size: number;
          content?: string;
          encoding?: string;
        }>({
          route: `GET ${REPO}/contents/{path}`,
          // A tag of the branch's name would take precedence.
          params: { path, ref: at ?? `refs/heads/${branch}` },
          accept: 'application/vnd.github.object+json',
          signal,
        });
        const content = found.encoding === 'base64' ? Buffer.from(found.content ?? '', 'base64') : undefined;
        return { type: found.type, sha: found.sha, size: found.size, content };
      } catch (error) {
        if (error instanceof GithubError && error.status === 404) return undefined;
        throw error;
      }
    },

    async changedAt(path) {
      const [commit] = await client.json<{ commit: { committer: { date: string } } }[]>({
        route: `GET ${REPO}/commits`,
        params: { sha: `refs/heads/${branch}`, path, per_page: '1' },
      });
      return commit && new Date(commit.commit.committer.date);
    },

    blob: (sha, signal) =>
      client.stream({
        route: `GET ${REPO}/git/blobs/{sha}`,
        params: { sha },
        accept: 'application/vnd.github.raw+json',
        signal,
      }),

    async createBlob(bytes, signal) {
      const { sha } = await client.json<{ sha: string }>({
        route: `POST ${REPO}/git/blobs`,
        body: { content: bytes.toString('base64'), encoding: 'base64' },
        signal,
      });
      if (sha !== blobSha(bytes))
        throw new StorageError('UNAVAILABLE', 'GitHub has stored other bytes than those that were sent');
      return sha;
    },

    async createCommit(parent, message, changes) {
      const tree = await client.json<{ sha: string }>({
        route: `POST ${REPO}/git/trees`,
        body: {
          base_tree: parent.tree,
          tree: changes.map(({ path, sha }) => ({ path, mode: '100644', type: 'blob', sha })),
        },
      });
      return asCommit(
        await client.json<GitCommit>({
          route: `POST ${REPO}/git/commits`,
          body: { message, tree: tree.sha, parents: [parent.sha] },
        }),
      );
    },

    async moveTo(commit) {
      await client.json({
        route: `PATCH ${REPO}/git/refs/{ref}`,
        params: { ref },
        body: { sha: commit.sha, force: false },
        once: true,
      });
      newest = commit;
    },

    async begin() {
      const content = Buffer.from('mediakeep keeps its objects below this folder.\n').toString('base64');
      await client
        .json({
          route: `PUT ${REPO}/contents/{path}`,
          params: { path: `${directory}/.mediakeep` },
          body: { message: 'mediakeep: begin', content, branch },
        })
        .catch((error: unknown) => {
          // Another writer, or an attempt whose response was lost, was first.
          if (!(error instanceof GithubError) || (error.status !== 409 && error.status !== 422)) throw error;
        });
    },
  };
}

function asCommit({ sha, tree, committer }: GitCommit): Commit {
  return { sha, tree: tree.sha, date: new Date(committer.date) };
}

/** Git's object id of these bytes. */
function blobSha(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}
