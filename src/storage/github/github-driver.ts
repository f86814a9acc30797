import { type Driver, type DriverContext, type ListPage, StorageError } from '../driver.ts';
import { checkGithub } from './check.ts';
import { createGithubClient } from './client.ts';
import { createCommitter } from './committer.ts';
import { GithubError, asGithubFailure } from './errors.ts';
import { isDotGit } from './names.ts';
import { type GithubOptions, githubPlace } from './options.ts';
import { createGate } from './pacing.ts';
import { blobStream } from './read.ts';
import { type FoundPath, createGithubRepository } from './repository.ts';
import { createTrees, lookUp, walk } from './trees.ts';

/** Concurrent blob uploads. Each is in memory three times: as bytes, in base64, and in the socket's buffers. */
const PARALLEL_UPLOADS = 6;
/** Bodies in memory at once, each whole: GitHub accepts a file only in one piece. */
const PARALLEL_BODIES = 16;
const PAGE = 1000;

/**
 * Files below a folder of one branch of a GitHub repository, written through the Git Data API: a blob per file, and one commit
 * for all files that arrive within a time window. Visible is what the branch's newest commit holds, so a file appears whole or
 * not at all. Deleting removes a file from the branch; its bytes stay in the history.
 */
export async function createGithubDriver(options: GithubOptions, context: DriverContext): Promise<Driver> {
  const place = githubPlace(context.store, options);
  const { owner, repo, branch, directory } = place;
  const client = await createGithubClient(place, options.writesPerMinute, context.log);
  const repository = createGithubRepository(client, place);
  const trees = createTrees(repository);
  const committer = createCommitter(repository, trees, context, {
    leaseName: `commit ${owner}/${repo} ${branch}`.toLowerCase(),
    batchWindowMs: options.batchWindowMs,
  });
  const bodies = createGate(PARALLEL_BODIES);
  const uploads = createGate(PARALLEL_UPLOADS);
  const pathOf = (key: string) => `${directory}/${key}`;
  const { maxObjectBytes } = options;

  /** The file of a key; undefined when the branch exists and has none. */
  async function find(key: string, signal?: AbortSignal): Promise<FoundPath | undefined> {
    const found = await repository.find(pathOf(key), { signal });
    // The response is the same when the repository or branch is gone, which must not count as a missing object.
    if (!found) await repository.head();
    else if (found.type !== 'file') throw new StorageError('NOT_A_FILE', 'The key leads to no file of the repository');
    return found;
  }

  async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > maxObjectBytes) throw tooLarge();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  const tooLarge = () => new StorageError('TOO_LARGE', `Files of this store have at most ${maxObjectBytes} bytes`);

  async function upload(bytes: Buffer, signal?: AbortSignal): Promise<string> {
    try {
      return await repository.createBlob(bytes, signal);
    } catch (error) {
      if (!(error instanceof GithubError) || !error.repositoryEmpty) throw error;
      await committer.begin();
      return repository.createBlob(bytes, signal);
    }
  }

  const driver: Driver = {
    remote: true,
    place: `${place.apiUrl}/${owner}/${repo} ${branch} ${directory}`.toLowerCase(),
    capabilities: {
      range: { able: true, reason: 'GitHub sends whole files; the part is cut out of them while they flow.' },
      presignGet: { able: false, reason: 'GitHub signs no URLs; the service signs URLs of its own.' },
      presignPut: { able: false, reason: 'GitHub takes no files without its token; the service takes them itself.' },
      publicUrl: options.public
        ? { able: true, reason: 'The repository is public, so are its raw URLs.' }
        : { able: false, reason: 'Raw URLs of a private repository need a token; PUBLIC says that they do not.' },
      list: { able: true, reason: 'The trees of the branch are read.' },
      maxObjectBytes,
    },

    async put(key, body, { size, overwrite = false, signal }) {
      if (size !== undefined && size > maxObjectBytes) throw tooLarge();
      if (key.split('/').some(isDotGit)) throw new StorageError('NOT_A_FILE', 'Git takes no name like .git');
      client.assertRoom(bodies.waiting() + uploads.waiting());
      const stored = await bodies.run(async () => {
        const bytes = await collect(body);
        return { bytes: bytes.length, etag: await uploads.run(() => upload(bytes, signal), signal) };
      }, signal);
      await committer.put(pathOf(key), stored.etag, { overwrite, signal });
      return stored;
    },

    async get(key, { range, signal } = {}) {
      const found = await find(key, signal);
      if (!found) return undefined;
      const { sha, size, content } = found;
      const bytes = range ? Math.max(0, range.end - range.start + 1) : size;
      // Files of up to 1 MB are included in the response.
      const body = content?.length === size ? content : await repository.blob(sha, signal);
      return { stream: blobStream(body, size, range, signal), bytes, totalBytes: size };
    },

    async stat(key) {
      const found = await find(key);
      if (!found) return undefined;
      return { bytes: found.size, modifiedAt: (await repository.changedAt(pathOf(key))) ?? new Date() };
    },

    delete: (key) => committer.delete(pathOf(key)),

    /**
     * `modifiedAt` is the time of the branch's newest commit, for all files: no file is newer, and exact times would take a
     * request per file.
     */
    async list(prefix, cursor): Promise<ListPage> {
      const head = await repository.head();
      const root = head && (await lookUp(trees, head.tree, directory));
      if (!head || typeof root !== 'object' || root.type !== 'tree') return { objects: [], cursor: undefined };
      const objects: ListPage['objects'] = [];
      for await (const { key, bytes } of walk(trees, root.sha, '', prefix, cursor ?? '')) {
        if (objects.length === PAGE) return { objects, cursor: objects.at(-1)?.key };
        objects.push({ key, bytes, modifiedAt: head.date });
      }
      return { objects, cursor: undefined };
    },

    async healthy() {
      await repository.head();
    },

    check: () => checkGithub(client, place, options.public, context.log),
    close: () => committer.close(),
  };
  if (options.public) {
    const base = `${options.rawUrl.replace(/(?<!\/)\/+$/, '')}/${escapePath(`${owner}/${repo}/${branch}/${directory}`)}`;
    driver.publicUrl = (key) => `${base}/${escapePath(key)}`;
  }
  return withStorageErrors(driver, (error) => asGithubFailure(error, place));
}

function escapePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** Translates GitHub's failures to the service's error codes. */
function withStorageErrors(driver: Driver, translate: (error: unknown) => unknown): Driver {
  const translated = <A extends unknown[], T>(work: (...args: A) => Promise<T>) => {
    return (...args: A): Promise<T> =>
      work(...args).catch((error: unknown) => {
        throw translate(error);
      });
  };
  return {
    ...driver,
    put: translated(driver.put),
    get: translated(driver.get),
    stat: translated(driver.stat),
    delete: translated(driver.delete),
    list: translated(driver.list),
    healthy: translated(driver.healthy),
    ...(driver.check && { check: translated(driver.check) }),
  };
}
