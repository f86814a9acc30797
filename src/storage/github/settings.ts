import { type Static, Type } from 'typebox';
import type { GithubOptions } from './options.ts';

const secret = (description: string, allowed: string) =>
  Type.Optional(Type.String({ description, allowed, secret: true }));
const httpUrl = (description: string, defaultValue: string) =>
  Type.String({
    description,
    default: defaultValue,
    pattern: '^https?://[^\\s/?#][^\\s?#]*$',
    allowed: 'an address like https://github.example.com/api/v3',
  });
const whole = (description: string, defaultValue: number, minimum: number, maximum: number) =>
  Type.Integer({
    description,
    default: defaultValue,
    minimum,
    maximum,
    allowed: `a whole number from ${minimum} to ${maximum}`,
  });

/** Settings of a store that is a GitHub repository. */
export const GITHUB_SETTINGS = Type.Object({
  REPOSITORY: Type.String({
    minLength: 1,
    allowed: 'owner/name',
    description: 'Repository that holds the files, `owner/name`; private or public, also an empty one.',
  }),
  BRANCH: Type.String({
    default: 'main',
    allowed: 'the name of a branch, like main',
    description: 'Branch that the files are committed to. It must exist, unless the repository is empty.',
  }),
  DIRECTORY: Type.String({
    default: 'file-library',
    allowed: 'a folder of the repository',
    description: 'Folder below which all files lie.',
  }),
  PUBLIC: Type.Boolean({
    default: false,
    allowed: 'true or false',
    description:
      'The repository is public and its raw URLs may be handed out. `false`: the service sends the files itself.',
  }),
  TOKEN: secret(
    'Fine-grained personal access token with the repository permission "Contents: read and write". Either this or an App.',
    'a token alone, without Bearer',
  ),
  APP_ID: Type.Optional(
    Type.String({
      minLength: 1,
      pattern: '^[A-Za-z0-9._]+$',
      allowed: 'the id or client id of a GitHub App',
      description: 'Id of a GitHub App with "Contents: read and write" that is installed on the repository.',
    }),
  ),
  APP_PRIVATE_KEY: secret(
    'Private key of the App, in PEM; line ends may be written as `\\n`.',
    'the whole PEM file that GitHub gave',
  ),
  INSTALLATION_ID: Type.Optional(
    Type.Integer({
      minimum: 1,
      allowed: 'a whole number',
      description: 'Installation of the App. Unset: the one on the repository is looked up.',
    }),
  ),
  API_URL: httpUrl('Address of the REST API; GitHub Enterprise Server has its own.', 'https://api.github.com'),
  RAW_URL: httpUrl('Address that raw URLs begin with.', 'https://raw.githubusercontent.com'),
  MAX_OBJECT_BYTES: whole(
    'Largest file. GitHub’s own pages take 25 MiB, its API 100 MiB; each upload is held in memory.',
    25 * 1024 ** 2,
    1,
    100 * 1024 ** 2,
  ),
  BATCH_WINDOW_MS: whole('Milliseconds in which files are gathered for one commit.', 400, 0, 10_000),
  WRITES_PER_MINUTE: whole(
    'Writing requests that this process makes in any minute; a file takes one, each commit three. GitHub allows about 80; 0: no limit.',
    80,
    0,
    100_000,
  ),
});

/** Converts checked settings to the driver's options. */
export function githubOptions(settings: Record<string, unknown>): GithubOptions {
  const given = settings as Static<typeof GITHUB_SETTINGS>;
  return {
    repository: given.REPOSITORY,
    branch: given.BRANCH,
    directory: given.DIRECTORY,
    public: given.PUBLIC,
    token: given.TOKEN,
    appId: given.APP_ID,
    appPrivateKey: given.APP_PRIVATE_KEY,
    installationId: given.INSTALLATION_ID,
    apiUrl: given.API_URL,
    rawUrl: given.RAW_URL,
    maxObjectBytes: given.MAX_OBJECT_BYTES,
    batchWindowMs: given.BATCH_WINDOW_MS,
    writesPerMinute: given.WRITES_PER_MINUTE,
  };
}
