import { setTimeout as sleep } from 'node:timers/promises';
import type { Octokit } from '@octokit/core';
import { unlessAborted } from '../streams/abortable.ts';
import { GithubError, asGithubError } from './errors.ts';
import type { GithubPlace } from './options.ts';
import { createRequestPace } from './pacing.ts';

export interface GithubRequest {
  /** Placeholders escape their values. `owner` and `repo` are filled in. */
  route: `${'GET' | 'POST' | 'PATCH' | 'PUT'} /${string}`;
  /** Values of the route's placeholders; the rest of a GET's become its query. */
  params?: Record<string, string>;
  body?: unknown;
  accept?: string;
  signal?: AbortSignal | undefined;
  /** Not retried when it may have had its effect; the caller checks. */
  once?: boolean;
}

/** GitHub's REST API with credentials, pacing, timeouts, and the only layer of retries. @throws GithubError */
export interface GithubClient {
  json<T>(request: GithubRequest): Promise<T>;
  /** Resolves when the headers have arrived; the body may take as long as its reader does. */
  stream(request: GithubRequest): Promise<ReadableStream<Uint8Array>>;
  /** @throws StorageError UNAVAILABLE when `queued` further writes would wait for too long. */
  assertRoom(queued: number): void;
}

const API_VERSION = '2022-11-28';
/** For a response's headers, and for the whole of a JSON response: enough to upload a blob of 100 MiB in base64. */
const TIMEOUT_MS = 120_000;
/** A longer wait is for the caller to decide: there may be another store. */
const MAX_WAIT_SECONDS = 10;
const MAX_ATTEMPTS = 4;

/** Opens the API for one store, without sending a request. Loads Octokit only here, since other stores do not need it. */
export async function createGithubClient(
  place: GithubPlace,
  writesPerMinute: number,
  log: (level: 'info' | 'warn' | 'error', message: string) => void,
): Promise<GithubClient> {
  const { owner, repo, apiUrl, credentials } = place;
  const [{ Octokit }, { throttling }] = await Promise.all([
    import('@octokit/core'),
    import('@octokit/plugin-throttling'),
  ]);
  const pace = createRequestPace(writesPerMinute);
  const common = {
    baseUrl: apiUrl,
    userAgent: 'mediakeep',
    request: timed(undefined, false),
    log: {
      debug: () => {},
      info: () => {},
      warn: (message: string) => log('warn', message),
      error: (message: string) => log('error', message),
    },
    throttle: {
      id: `${place.store} ${apiUrl} ${owner}/${repo}`,
      // Octokit's own pacing delays every write by a second, even a single one.
      write: {
        key: () => ({ schedule: (_options: unknown, work: () => Promise<void>) => pace.next().then(work) }),
      } as never,
      // Retries are made below, in one place for rate limits and other failures.
      onRateLimit: () => false,
      onSecondaryRateLimit: () => false,
    },
  };
  const Throttled = Octokit.plugin(throttling);
  /** Until when GitHub asks for no requests, or no writes. Ignoring it can get an integration banned. */
  const closedUntil = { reading: 0, writing: 0 };

  const connect =
    credentials.type === 'token'
      ? async () => new Throttled({ ...common, auth: credentials.token })
      : async () => {
          const { createAppAuth } = await import('@octokit/auth-app');
          const auth = { appId: credentials.appId, privateKey: credentials.privateKey };
          const app = { ...common, authStrategy: createAppAuth };
          let { installationId } = credentials;
          if (installationId === undefined) {
            const route = 'GET /repos/{owner}/{repo}/installation';
            const found = await new Throttled({ ...app, auth })
              .request(route, { owner, repo })
              .catch((error: unknown) => {
                throw asGithubError(error, route);
              });
            installationId = found.data.id;
          }
          return new Throttled({ ...app, auth: { ...auth, installationId } });
        };
  let connecting: Promise<Octokit> | undefined;
  const connected = (): Promise<Octokit> => {
    connecting ??= connect().catch((error: unknown) => {
      connecting = undefined;
      throw error;
    });
    return connecting;
  };

  /** Waits until GitHub accepts requests again. @throws GithubError when that takes too long */
  async function open({ route, signal }: GithubRequest): Promise<void> {
    const until = route.startsWith('GET ') ? closedUntil.reading : Math.max(closedUntil.reading, closedUntil.writing);
    const seconds = (until - Date.now()) / 1000;
    if (seconds <= 0) return;
    if (seconds > MAX_WAIT_SECONDS) throw new GithubError('asked to wait', { status: 429, route, limitedFor: seconds });
    await sleep(seconds * 1000, undefined, { signal });
  }

  async function attempt(request: GithubRequest, streamed: boolean): Promise<unknown> {
    const { route, params, body, accept, signal } = request;
    const octokit = await connected();
    const { data } = await octokit.request(route, {
      owner,
      repo,
      ...params,
      headers: { accept: accept ?? 'application/vnd.github+json', 'x-github-api-version': API_VERSION },
      // A text, because octokit's serialiser searches every character for large numbers.
      ...(body !== undefined && { data: JSON.stringify(body) }),
      request: { ...timed(signal, streamed), parseSuccessResponseBody: !streamed },
    });
    // A truncated response arrives as the partial text.
    if (typeof data !== 'object' || data === null)
      throw new GithubError('no answer (it was cut)', { status: 0, route, limitedFor: undefined });
    return data;
  }

  async function send(request: GithubRequest, streamed: boolean): Promise<unknown> {
    const { route, signal } = request;
    let renewed = false;
    for (let attempts = 1; ; attempts += 1) {
      let failure: GithubError;
      try {
        await open(request);
        return await attempt(request, streamed);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        failure = asGithubError(error, route);
      }
      if (failure.limitedFor !== undefined) {
        const kind = route.startsWith('GET ') ? 'reading' : 'writing';
        closedUntil[kind] = Math.max(closedUntil[kind], Date.now() + failure.limitedFor * 1000);
        if (attempts === MAX_ATTEMPTS || failure.limitedFor > MAX_WAIT_SECONDS) throw failure;
      } else if (failure.status === 401 && credentials.type === 'app' && !renewed) {
        // An installation's token can become invalid early: revoked, or by a wrong clock.
        renewed = true;
        connecting = undefined;
      } else {
        const transient = failure.outcomeUnknown || (failure.status === 409 && !failure.repositoryEmpty);
        if (!transient || request.once || attempts === MAX_ATTEMPTS) throw failure;
        await sleep(250 * 2 ** (attempts - 1) * (0.5 + Math.random()), undefined, { signal });
      }
    }
  }

  const sending = (request: GithubRequest, streamed: boolean) => {
    const sent = send(request, streamed);
    // A request queued inside octokit cannot be cancelled, but need not be awaited.
    return request.signal ? unlessAborted(sent, request.signal) : sent;
  };
  return {
    json: async <T>(request: GithubRequest) => (await sending(request, false)) as T,
    stream: async (request) => (await sending(request, true)) as ReadableStream<Uint8Array>,
    assertRoom: (queued) => pace.assertRoom(queued),
  };
}

/** A fetch whose timeout begins when it is sent, not when it is queued; for a stream it ends with the headers. */
function timed(signal: AbortSignal | undefined, streamed: boolean): { fetch: typeof fetch } {
  return {
    async fetch(url, init) {
      const timeout = new AbortController();
      const timer = setTimeout(() => timeout.abort(new Error(`nothing within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
      timer.unref();
      const signals = signal ? [timeout.signal, signal] : [timeout.signal];
      try {
        return await fetch(url, { ...init, signal: AbortSignal.any(signals) });
      } finally {
        if (streamed) clearTimeout(timer);
      }
    },
  };
}
