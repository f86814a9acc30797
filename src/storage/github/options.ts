import { createPrivateKey } from 'node:crypto';
import { StorageError } from '../driver.ts';
import { branchProblem, directoryProblem, parseRepository } from './names.ts';

/** Settings of a store as given; undefined: not set. */
export interface GithubOptions {
  /** `owner/name` */
  repository: string;
  branch: string;
  /** Folder of the repository that contains all objects. */
  directory: string;
  /** Raw URLs may be published. */
  public: boolean;
  token: string | undefined;
  appId: string | undefined;
  /** PEM; `\n` may stand for line ends. */
  appPrivateKey: string | undefined;
  installationId: number | undefined;
  apiUrl: string;
  rawUrl: string;
  maxObjectBytes: number;
  /** Milliseconds in which writes are gathered into one commit. */
  batchWindowMs: number;
  /** Maximum write requests per minute of this process; 0: no limit. */
  writesPerMinute: number;
}

export type GithubCredentials =
  | { type: 'token'; token: string }
  | { type: 'app'; appId: string; privateKey: string; installationId: number | undefined };

/** Where a store's objects lie, and the credentials for it. */
export interface GithubPlace {
  /** The store's name. */
  store: string;
  owner: string;
  repo: string;
  branch: string;
  directory: string;
  apiUrl: string;
  credentials: GithubCredentials;
  /** Full name of a setting of this store, e.g. `GITHUB_TOKEN`. */
  setting(name: string): string;
}

/** Checks what the settings' patterns cannot express. @throws StorageError MISCONFIGURED naming the setting */
export function githubPlace(store: string, options: GithubOptions): GithubPlace {
  const setting = (name: string) => `${store.toUpperCase().replaceAll('-', '_')}_${name}`;
  const refuse = (name: string, problem: string) => new StorageError('MISCONFIGURED', `${setting(name)}: ${problem}`);
  const repository = parseRepository(options.repository);
  if (!repository)
    throw refuse(
      'REPOSITORY',
      `${JSON.stringify(options.repository)} is not usable; allowed: owner/name, without .git`,
    );
  const branch = branchProblem(options.branch);
  if (branch !== undefined)
    throw refuse('BRANCH', `${JSON.stringify(options.branch)} ${branch}; allowed: the name of a branch, like main`);
  const directory = directoryProblem(options.directory);
  if (directory !== undefined)
    throw refuse(
      'DIRECTORY',
      `${JSON.stringify(options.directory)} ${directory}; allowed: a folder of the repository, like file-library`,
    );
  return {
    store,
    ...repository,
    branch: options.branch,
    directory: options.directory,
    apiUrl: options.apiUrl.replace(/(?<!\/)\/+$/, ''),
    credentials: credentials(options, refuse, setting),
    setting,
  };
}

function credentials(
  { token, appId, appPrivateKey, installationId }: GithubOptions,
  refuse: (name: string, problem: string) => StorageError,
  setting: (name: string) => string,
): GithubCredentials {
  const app = appId !== undefined || appPrivateKey !== undefined;
  const either = `give either ${setting('TOKEN')}, or ${setting('APP_ID')} and ${setting('APP_PRIVATE_KEY')}`;
  if (token !== undefined && app) throw refuse('TOKEN', `is given beside an App; ${either}`);
  if (token !== undefined) {
    if (/\s/.test(token)) throw refuse('TOKEN', 'holds white space; allowed: the token alone');
    return { type: 'token', token };
  }
  if (!app) throw refuse('TOKEN', `is missing; ${either}`);
  if (appId === undefined) throw refuse('APP_ID', `is missing; ${either}`);
  if (appPrivateKey === undefined) throw refuse('APP_PRIVATE_KEY', `is missing; ${either}`);
  const privateKey = appPrivateKey.replaceAll('\\n', '\n');
  try {
    createPrivateKey(privateKey);
  } catch {
    // The reason may quote the key.
    throw refuse(
      'APP_PRIVATE_KEY',
      'cannot be read; allowed: the whole PEM file that GitHub gave, with line ends or \\n between its lines',
    );
  }
  return { type: 'app', appId, privateKey, installationId };
}
