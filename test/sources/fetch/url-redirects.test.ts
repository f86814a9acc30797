// Case numbers in titles are those of the table in docs/threat-model.md.
import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, test, vi } from 'vitest';
import { type LocalServer, readAll, refusal, serveHttp, testFetcher } from './local-server.ts';

/** Redirects /n to /n-1 and so on; /0 is the file. */
function serveCountdown(): Promise<LocalServer> {
  return serveHttp((request, response) => {
    const left = Number(request.url?.slice(1));
    if (left === 0) return response.end('arrived');
    return response.writeHead(302, { location: `/${left - 1}` }).end();
  });
}

function serveRedirect(status: number, location?: string): Promise<LocalServer> {
  return serveHttp((_request, response) =>
    response.writeHead(status, location === undefined ? {} : { location }).end('moved'),
  );
}

describe('redirects', () => {
  test('case 72: three redirects are followed, relative ones too', async () => {
    const server = await serveCountdown();
    const { body, finalUrl } = await testFetcher().fetch(`http://127.0.0.1:${server.port}/3#part`);
    expect((await readAll(body)).toString()).toBe('arrived');
    expect(finalUrl).toBe(`http://127.0.0.1:${server.port}/0`);
  });

  test('case 72: a fourth redirect is not followed', async () => {
    const server = await serveCountdown();
    const error = await refusal(testFetcher().fetch(`http://127.0.0.1:${server.port}/4`));
    expect(error).toMatchObject({ code: 'fetch_failed', message: expect.stringContaining('3 times') });
    await vi.waitFor(() => expect([server.accepted(), server.open()]).toEqual([4, 0]), 15_000);
  });

  test.each([301, 302, 303, 307, 308])('status %d is followed', async (status) => {
    const server = await serveHttp((request, response) =>
      request.url === '/end' ? response.end() : response.writeHead(status, { location: 'end' }).end(),
    );
    const { finalUrl } = await testFetcher().fetch(`http://127.0.0.1:${server.port}/start`);
    expect(finalUrl).toMatch(/\/end$/);
  });

  test.each([
    'https://127.0.0.2/',
    'https://2130706434/',
    'https://169.254.169.254/latest/',
    'https://[::1]/',
    '//10.0.0.1/',
    'http://93.184.215.14/',
    'https://93.184.215.14:444/',
    'https://user:s3cr3t@93.184.215.14/',
    'file:///etc/passwd',
    'ftp://93.184.215.14/',
    'data:image/png;base64,AAAA',
    'https://media.test\t/',
    '\\\\media.test/',
    'https://[/',
    `/${'a'.repeat(2000)}`,
  ])('case 72: redirects to private, file:, http, odd ports: %j', async (location) => {
    const server = await serveRedirect(302, location);
    const error = await refusal(testFetcher().fetch(`http://127.0.0.1:${server.port}/`));
    expect(error.code).toBe('url_not_allowed');
    expect(error.message).toContain('redirects to');
    expect(error.message).not.toMatch(/s3cr3t|user:/);
    await vi.waitFor(() => expect([server.accepted(), server.open()]).toEqual([1, 0]), 15_000);
  });

  test('case 72: the DNS answer for a redirect target is checked', async () => {
    const server = await serveRedirect(307, 'https://internal.test/');
    const fetcher = testFetcher({
      lookup: (_host, _options, callback) => callback(null, [{ address: '192.168.1.1', family: 4 }]),
    });
    expect((await refusal(fetcher.fetch(`http://127.0.0.1:${server.port}/`))).code).toBe('url_not_allowed');
  });

  test.each([300, 304, 305])('status %d is not followed', async (status) => {
    const server = await serveRedirect(status, '/elsewhere');
    const error = await refusal(testFetcher().fetch(`http://127.0.0.1:${server.port}/`));
    expect(error.code).toBe('fetch_failed');
    expect(error.message).toContain(String(status));
  });

  test('the body of a redirect is not read, and its connection is closed', async () => {
    const server = await serveHttp((request, response) => {
      if (request.url === '/') response.writeHead(302, { location: '/end' });
      response.write('never-ending');
    });
    await testFetcher().fetch(`http://127.0.0.1:${server.port}/`);
    await vi.waitFor(() => expect([server.accepted(), server.open()]).toEqual([2, 1]), 15_000);
  });

  test('a redirect without Location is refused', async () => {
    const server = await serveRedirect(302);
    expect((await refusal(testFetcher().fetch(`http://127.0.0.1:${server.port}/`))).code).toBe('fetch_failed');
  });

  test('a Location in UTF-8 keeps its characters', async () => {
    const server = await serveHttp((request, response) => {
      if (request.url !== '/') return response.end(request.url);
      return response.writeHead(302, { location: Buffer.from('/größe.png').toString('latin1') }).end();
    });
    const { body, filename } = await testFetcher().fetch(`http://127.0.0.1:${server.port}/`);
    expect((await readAll(body)).toString()).toBe('/gr%C3%B6%C3%9Fe.png');
    expect(filename).toBe('größe.png');
  });

  test('a request has no headers except its user agent and what it accepts', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const server = await serveHttp((request, response) => {
      seen.push(request.headers);
      if (request.url !== '/') return response.end();
      return response.writeHead(302, { location: '/next', 'set-cookie': 'a=b' }).end();
    });
    await testFetcher().fetch(`http://127.0.0.1:${server.port}/`);
    const host = `127.0.0.1:${server.port}`;
    const headers = {
      host,
      connection: 'close',
      accept: '*/*',
      'accept-encoding': 'identity',
      'user-agent': 'mediakeep',
    };
    expect(seen).toEqual([headers, headers]);
  });
});
