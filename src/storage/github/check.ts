import { type DriverContext, StorageError } from '../driver.ts';
import type { GithubClient } from './client.ts';
import { GithubError } from './errors.ts';
import type { GithubPlace } from './options.ts';

interface RepositoryAnswer {
  full_name: string;
  private: boolean;
  archived: boolean;
  disabled: boolean;
  default_branch: string;
}

/**
 * Checks that the repository, the branch and the credentials match the settings.
 * @throws StorageError MISCONFIGURED naming the setting and how to fix it; GithubError when GitHub is unreachable
 */
export async function checkGithub(
  client: GithubClient,
  place: GithubPlace,
  isPublic: boolean,
  log: DriverContext['log'],
): Promise<void> {
  const { owner, repo, branch, credentials, setting } = place;
  const wrong = (name: string, problem: string, cause?: unknown) =>
    new StorageError('MISCONFIGURED', `${setting(name)}: ${problem}`, { cause });
  const means = credentials.type === 'token' ? 'TOKEN' : 'APP_ID';
  const remedy =
    credentials.type === 'token'
      ? `give a token with the repository permission "Contents: read and write" for ${owner}/${repo}`
      : `give the App the repository permission "Contents: read and write" and install it on ${owner}/${repo}`;
  const ask = async <T>(request: Promise<T>, answers: Record<number, () => Error>): Promise<T> => {
    try {
      return await request;
    } catch (error) {
      if (!(error instanceof GithubError) || error.limitedFor !== undefined) throw error;
      if (error.status === 401) throw wrong(means, `GitHub refuses it (${error.message}); ${remedy}`, error);
      throw answers[error.status]?.() ?? error;
    }
  };

  const unseen = () =>
    wrong('REPOSITORY', `GitHub shows no ${owner}/${repo} to ${setting(means)}; correct the name, or ${remedy}`);
  const found = await ask(client.json<RepositoryAnswer>({ route: 'GET /repos/{owner}/{repo}' }), {
    403: () => wrong(means, `may not see ${owner}/${repo}; ${remedy}`),
    404: unseen,
  });
  if (found.archived || found.disabled)
    throw wrong('REPOSITORY', `${owner}/${repo} is archived or disabled, so nothing can be written; name another one`);
  if (isPublic && found.private)
    throw wrong('PUBLIC', `is true, but ${owner}/${repo} is private, so its raw URLs would not work; set it to false`);
  if (!isPublic && !found.private)
    log(
      'warn',
      `${owner}/${repo} is public: everybody can read what is stored there, whatever an item’s visibility says`,
    );
  if (found.full_name.toLowerCase() !== `${owner}/${repo}`.toLowerCase())
    log('warn', `${owner}/${repo} is now ${found.full_name}: set ${setting('REPOSITORY')} to that`);

  await ask(
    client
      .json({ route: 'GET /repos/{owner}/{repo}/git/ref/{ref}', params: { ref: `heads/${branch}` } })
      .catch(ifEmpty),
    {
      404: () =>
        wrong(
          'BRANCH',
          `there is no branch ${branch} in ${owner}/${repo}; create it, or name another one (the default is ${found.default_branch})`,
        ),
    },
  );
  // The permissions in a response are the user's, not the token's, so test with a write: an empty blob leaves no trace.
  await ask(
    client
      .json({ route: 'POST /repos/{owner}/{repo}/git/blobs', body: { content: '', encoding: 'utf-8' } })
      .catch(ifEmpty),
    {
      403: () => wrong(means, `may not write to ${owner}/${repo}; ${remedy}`),
      404: () => wrong(means, `may not write to ${owner}/${repo}; ${remedy}`),
    },
  );
}

/** An empty repository is fine: the first commit creates the branch. */
function ifEmpty(error: unknown): void {
  if (!(error instanceof GithubError) || !error.repositoryEmpty) throw error;
}
