import { setTimeout as sleep } from 'node:timers/promises';
import type { Octokit } from '@octokit/core';
import { unlessAborted } from '../streams/abortable.ts';
import { GithubError, asGithubError } from './errors.ts';
import type { GithubPlace } from './options.ts';
import { createRequestPace } from './pacing.ts';

export interface GithubRequest {
  /** Placeholders escape what is put in for them. `owner` and `repo` are filled in. */
  route: `${'GET' | 'POST' | 'PATCH' | 'PUT'} /${string}`;
  /** Of the route's placeholders; what is left over of a GET becomes its query. */
  params?: Record<string, string>;
  body?: unknown;
  accept?: string;
  signal?: AbortSignal | undefined;
  /** Not sent again when it may have had its effect already; the caller looks. */
  once?: boolean;
}

/** GitHub's REST API with credentials, spacing, timeouts, and the one layer of retries. @throws GithubError */
export interface GithubClient {
  json<T>(request: GithubRequest): Promise<T>;
  /** Returns when the headers have come; the body may take as long as its reader does. */
  stream(request: GithubRequest): Promise<ReadableStream<Uint8Array>>;
  /** @throws StorageError UNAVAILABLE when `queued` further writes would wait for too long. */
  assertRoom(queued: number): void;
}

const API_VERSION = '2022-11-28';
/** For an answer's headers, and for the whole of one in JSON: a blob of 100 MiB in base64 goes up within that. */
const TIMEOUT_MS = 120_000;
/** A longer wait is the caller's to decide on: there may be another store. */
const MAX_WAIT_SECONDS = 10;
const MAX_ATTEMPTS = 4;

/** Opens the API for one store; nothing is sent yet. Octokit is loaded here, since other stores do without it. */
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
      // Its own spacing is a second for each write, also for one that comes alone.
      write: {
        key: () => ({ schedule: (_options: unknown, work: () => Promise<void>) => pace.next().then(work) }),
      } as never,
      // Retries are made below, in one place for limits and all else.
      onRateLimit: () => false,
      onSecondaryRateLimit: () => false,
    },
  };
  const Throttled = Octokit.plugin(throttling);
  /** Until when GitHub wants no request, or no writing one. Asking nevertheless can get an integration banned. */
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

  /** Waits until GitHub takes requests again. @throws GithubError when that is too long */
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
      // A text: octokit's own serialising looks through every character for large numbers.
      ...(body !== undefined && { data: JSON.stringify(body) }),
      request: { ...timed(signal, streamed), parseSuccessResponseBody: !streamed },
    });
    // An answer that was cut comes as the text that there was of it.
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
        // An installation's token can end before its time: revoked, or by a clock that is off.
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
    // What waits for its turn inside of octokit cannot be called back, but need not be waited for.
    return request.signal ? unlessAborted(sent, request.signal) : sent;
  };
  return {
    json: async <T>(request: GithubRequest) => (await sending(request, false)) as T,
    stream: async (request) => (await sending(request, true)) as ReadableStream<Uint8Array>,
    assertRoom: (queued) => pace.assertRoom(queued),
  };
}

/** A fetch whose time begins when it is sent, not when it is queued; for a stream the time ends with the headers. */
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
