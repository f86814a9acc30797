import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BareRepository, createBareRepository } from './bare-repository.ts';
import { type FakeAnswer, type FakeState, ROUTES, at } from './fake-github-routes.ts';
import { type FakeTokens, createFakeTokens } from './fake-github-tokens.ts';

/** A fault of requests whose `METHOD path` matches, for `times` requests. */
export interface Fault {
  match: RegExp;
  times?: number;
  /** Matching requests that pass before. */
  skip?: number;
  /** Runs before the request is handled, e.g. a foreign push. */
  before?: () => Promise<unknown>;
  /** Sent instead of the real response. */
  answer?: { status: number; message: string; headers?: Record<string, string>; body?: object };
  /** The request is carried out, and its response lost, never sent, cut after so many bytes, or complete but too short. */
  then?: 'lose' | 'hang' | { cutAfter: number } | { shortenTo: number };
}

export interface FakeGithub {
  apiUrl: string;
  rawUrl: string;
  git: BareRepository;
  state: FakeState;
  tokens: FakeTokens;
  /** `METHOD path` of every request so far. */
  requests: string[];
  fail(fault: Fault): void;
  /** Cancels the remaining faults. */
  heal(): void;
  close(): Promise<void>;
}

export const TOKEN = 'github_pat_test';
export const READ_ONLY_TOKEN = 'github_pat_reader';

/** GitHub's REST API and raw host for one repository, `somebody/library`, over HTTP, on a real git repository. */
export async function createFakeGithub(options: { empty?: boolean } = {}): Promise<FakeGithub> {
  const git = await createBareRepository();
  if (options.empty !== true) await git.push('main', { 'README.md': 'A library.\n' });
  const tokens = createFakeTokens();
  tokens.add(TOKEN, { write: true });
  tokens.add(READ_ONLY_TOKEN, { write: false });
  const state: FakeState = {
    git,
    owner: 'somebody',
    repo: 'library',
    private: true,
    archived: false,
    treeLimit: 100_000,
    refusedName: '',
  };
  const requests: string[] = [];
  let faults: Fault[] = [];

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      process.stderr.write(`fake GitHub: ${String(error)}\n`);
      response.destroy();
    });
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', 'http://fake');
    const name = `${request.method} ${decodeURIComponent(url.pathname)}`;
    requests.push(name);
    const fault = takeFault(name);
    await fault?.before?.();
    if (fault?.answer) {
      const { status, message, headers, body } = fault.answer;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body ?? { message }));
      return;
    }
    const { status, body, raw } = await answer(request, url, Buffer.concat(chunks));
    if (fault?.then === 'lose') return void response.destroy();
    if (fault?.then === 'hang') return;
    const whole = raw ?? Buffer.from(JSON.stringify(body));
    const shorter = fault?.then !== undefined && 'shortenTo' in fault.then ? fault.then.shortenTo : whole.length;
    const bytes = whole.subarray(0, shorter);
    response.writeHead(status, {
      'content-type': raw ? 'application/vnd.github.raw+json; charset=utf-8' : 'application/json; charset=utf-8',
      'content-length': bytes.length,
      'x-ratelimit-remaining': '4999',
    });
    if (fault?.then === undefined || 'shortenTo' in fault.then) return void response.end(bytes);
    response.write(bytes.subarray(0, fault.then.cutAfter));
    await sleep(20);
    response.destroy();
  }

  function takeFault(name: string): Fault | undefined {
    for (const fault of faults) {
      if (!fault.match.test(name)) continue;
      if ((fault.skip ?? 0) > 0) {
        fault.skip = (fault.skip ?? 0) - 1;
        continue;
      }
      if ((fault.times ??= 1) === 0) continue;
      fault.times -= 1;
      return fault;
    }
    return undefined;
  }

  async function answer(request: IncomingMessage, url: URL, body: Buffer): Promise<FakeAnswer> {
    const { authorization, accept = '' } = request.headers;
    const method = request.method ?? 'GET';
    if (url.pathname.startsWith('/raw/')) return raw(url, authorization);
    const isApp = tokens.isApp(authorization);
    if (method === 'POST' && url.pathname === `/app/installations/${tokens.installationId}/access_tokens`)
      return isApp ? { status: 201, body: { ...tokens.issue(), permissions: { contents: 'write' } } } : UNKNOWN;
    const repository = `/repos/${state.owner}/${state.repo}`;
    if (url.pathname === `${repository}/installation`)
      return isApp ? { status: 200, body: { id: tokens.installationId } } : UNKNOWN;
    const access = tokens.access(authorization);
    if (!access) return UNKNOWN;
    if (url.pathname !== repository && !url.pathname.startsWith(`${repository}/`))
      return { status: 404, body: { message: 'Not Found' } };
    if (method !== 'GET' && !access.write)
      return { status: 403, body: { message: 'Resource not accessible by personal access token' } };
    const path = url.pathname.slice(repository.length);
    for (const [wanted, pattern, handler] of ROUTES) {
      const match = method === wanted ? pattern.exec(decodeURIComponent(path)) : null;
      if (!match) continue;
      const parsed = body.length > 0 ? (JSON.parse(body.toString()) as Record<string, unknown>) : {};
      return handler({ state, query: url.searchParams, body: parsed, accept, words: match.slice(1) });
    }
    return { status: 404, body: { message: `Not Found: ${method} ${path}` } };
  }

  /** The raw host: no API, and a private repository requires a token. */
  async function raw(url: URL, authorization: string | undefined): Promise<FakeAnswer> {
    const missing = { status: 404, raw: Buffer.from('404: Not Found') };
    if (state.private && !tokens.access(authorization)) return missing;
    const [, , owner, repo, ...rest] = url.pathname.split('/').map(decodeURIComponent);
    if (owner !== state.owner || repo !== state.repo) return missing;
    for (let length = 1; length < rest.length; length += 1) {
      const head = await git.head(rest.slice(0, length).join('/'));
      const commit = head === undefined ? undefined : await git.commit(head);
      const found = commit && (await at(git, commit.tree, rest.slice(length).join('/')));
      if (found && found.mode !== '40000')
        return { status: 200, raw: (await git.read(found.sha))?.content ?? Buffer.alloc(0) };
    }
    return missing;
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    apiUrl: address,
    rawUrl: `${address}/raw`,
    git,
    state,
    tokens,
    requests,
    fail: (fault) => void faults.push(fault),
    heal: () => void (faults = []),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await git.remove();
    },
  };
}

const UNKNOWN: FakeAnswer = { status: 401, body: { message: 'Bad credentials' } };
