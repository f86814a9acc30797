import { StorageError } from '../driver.ts';
import type { GithubPlace } from './options.ts';

export interface GithubFailure {
  /** HTTP status; 0: no response, or only a part of one. */
  status: number;
  /** The request, e.g. `POST /repos/{owner}/{repo}/git/blobs`; never with a key or a secret. */
  route: string;
  /** Seconds to wait, when the response is a rate limit. */
  limitedFor: number | undefined;
}

/** A request that GitHub refused or did not answer. It keeps nothing of the request: bodies are large, headers secret. */
export class GithubError extends Error {
  override readonly name = 'GithubError';
  readonly status: number;
  readonly route: string;
  readonly limitedFor: number | undefined;

  constructor(message: string, { status, route, limitedFor }: GithubFailure) {
    super(message);
    this.status = status;
    this.route = route;
    this.limitedFor = limitedFor;
  }

  /** Whether the request may have had its effect although it failed. */
  get outcomeUnknown(): boolean {
    return this.status === 0 || this.status >= 500;
  }

  /** The Git Data API's response before a repository has its first commit. */
  get repositoryEmpty(): boolean {
    return this.status === 409 && /\bis empty\b/i.test(this.message);
  }
}

/** "Wait for at least one minute before retrying", says GitHub of a secondary limit without a time. */
const UNTOLD_WAIT_SECONDS = 60;

/** Reads an octokit failure: its status, message and headers. */
export function asGithubError(error: unknown, route: string): GithubError {
  if (error instanceof GithubError) return error;
  const { message, status, response } = error as {
    message: string;
    status?: number;
    response?: { headers?: Record<string, string | undefined> };
  };
  // Without a response, octokit's status is made up.
  if (status === undefined || response === undefined)
    return new GithubError(`no answer (${message})`, { status: 0, route, limitedFor: undefined });
  const text = message.replace(/ - https:\/\/\S+$/, '').slice(0, 300);
  return new GithubError(text, { status, route, limitedFor: limitedFor(status, text, response.headers ?? {}) });
}

function limitedFor(status: number, message: string, headers: Record<string, string | undefined>): number | undefined {
  const exhausted = headers['x-ratelimit-remaining'] === '0';
  const retryAfter = headers['retry-after'];
  const limited =
    status === 429 || (status === 403 && (exhausted || retryAfter !== undefined || /rate limit/i.test(message)));
  if (!limited) return undefined;
  if (retryAfter !== undefined && Number.isFinite(Number(retryAfter))) return Math.max(0, Number(retryAfter));
  const reset = Number(headers['x-ratelimit-reset']);
  // A second longer: the limit is reset at that time, and clocks differ.
  if (exhausted && Number.isFinite(reset)) return Math.max(1, Math.ceil(reset - Date.now() / 1000) + 1);
  return UNTOLD_WAIT_SECONDS;
}

/** Translates a failure during use for the service and its operators. */
export function asGithubFailure(error: unknown, place: GithubPlace): unknown {
  if (!(error instanceof GithubError)) return error;
  if (error.status === 413 || (error.status === 422 && /too large/i.test(error.message)))
    return new StorageError('TOO_LARGE', 'GitHub takes no object of that size', { cause: error });
  if (error.limitedFor !== undefined)
    return new StorageError('UNAVAILABLE', `GitHub’s rate limit is used up: ${error.message}`, {
      cause: error,
      retryAfter: Math.ceil(error.limitedFor),
    });
  return new StorageError('UNAVAILABLE', explain(error, place), { cause: error });
}

function explain(error: GithubError, { owner, repo, setting }: GithubPlace): string {
  const auth = `${setting('TOKEN')} or the App of ${setting('APP_ID')}`;
  if (error.status === 401) return `GitHub refuses the credentials (${auth}): ${error.message}`;
  if (error.status === 403) return `GitHub forbids this to ${auth}: ${error.message}`;
  if (error.status === 404)
    return `GitHub shows no ${owner}/${repo} with the branch of ${setting('BRANCH')} to ${auth}`;
  return `GitHub answered ${error.status === 0 ? error.message : `${error.status}: ${error.message}`}`;
}
