// Case numbers in titles are those of the table in docs/threat-model.md.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { AppError } from '../../../src/errors.ts';
import { download, type LocalServer, readAll, refusal, serveHttp, serveTcp, testFetcher } from './local-server.ts';

const urlOf = (server: LocalServer): string => `http://127.0.0.1:${server.port}/a.png`;

const closed = (server: LocalServer): Promise<void> =>
  vi.waitFor(() => expect(server.open()).toBe(0), { interval: 5, timeout: 15_000 });

/** Sends a byte of the body every 20 ms. */
function serveDrip(): Promise<LocalServer> {
  return serveTcp((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n');
    const timer = setInterval(() => socket.write('x'), 20);
    socket.on('close', () => clearInterval(timer));
  });
}

/** Sends as much as the reader takes. */
function serveFlood(): Promise<LocalServer & { sent(): number }> {
  let sent = 0;
  const block = Buffer.alloc(65_536);
  return serveHttp((_request, response) => {
    const more = (): void => {
      do sent += block.length;
      while (response.write(block));
      response.once('drain', more);
    };
    more();
  }).then((server) => ({ ...server, sent: () => sent }));
}

const DEADLINE = { totalTimeoutMs: 300 };

describe('the deadline', () => {
  test('case 77: slow drip', async () => {
    const server = await serveDrip();
    const error = await refusal(download(testFetcher(DEADLINE), urlOf(server)));
    expect(error).toMatchObject({ code: 'fetch_failed', message: expect.stringContaining('0.3 seconds') });
    await closed(server);
  });

  test('case 77: slow drip of headers', async () => {
    const server = await serveTcp((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nx: ');
      const timer = setInterval(() => socket.write('y'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    expect((await refusal(testFetcher(DEADLINE).fetch(urlOf(server)))).message).toContain('0.3 seconds');
    await closed(server);
  });

  test('case 77: slow drip of compressed bytes', async () => {
    const server = await serveTcp((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n\x1f', 'latin1');
      socket.write(Buffer.from('8b080800000000000003', 'hex'));
      const timer = setInterval(() => socket.write('x'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    expect((await refusal(download(testFetcher(DEADLINE), urlOf(server)))).message).toContain('0.3 seconds');
    await closed(server);
  });

  test('case 77: one clock for all redirects', async () => {
    const server = await serveHttp(async (_request, response) => {
      await sleep(120);
      response.writeHead(302, { location: '/' }).end();
    });
    expect((await refusal(testFetcher(DEADLINE).fetch(urlOf(server)))).message).toContain('0.3 seconds');
  });

  test('a DNS server that never answers ends at the deadline', async () => {
    const fetcher = testFetcher({ ...DEADLINE, lookup: () => {} });
    expect((await refusal(fetcher.fetch('https://media.test/'))).message).toContain('0.3 seconds');
  });

  test('a DNS answer after the deadline is ignored', async () => {
    const fetcher = testFetcher({
      ...DEADLINE,
      lookup: (_host, _options, callback) => setTimeout(callback, 350, new Error('late'), []),
    });
    expect((await refusal(fetcher.fetch('https://media.test/'))).message).toContain('0.3 seconds');
    await sleep(100);
  });

  test('a TLS handshake that never ends is aborted at the deadline', async () => {
    const server = await serveTcp(() => {});
    const fetcher = testFetcher(DEADLINE);
    const error = await refusal(fetcher.fetch(`https://127.0.0.1:${server.port}/`));
    expect(error.message).toContain('0.3 seconds');
    await closed(server);
  });

  test('a server that never answers is given up at the deadline', async () => {
    const server = await serveTcp(() => {});
    expect((await refusal(testFetcher(DEADLINE).fetch(urlOf(server)))).message).toContain('0.3 seconds');
    await closed(server);
  });

  test('an unread body is closed at the deadline, and its reader gets the error', async () => {
    const server = await serveFlood();
    const { body } = await testFetcher({ totalTimeoutMs: 2000 }).fetch(urlOf(server));
    await sleep(50);
    expect(server.open()).toBe(1);
    await closed(server);
    expect((await refusal(readAll(body))).message).toContain('2 seconds');
  });

  test('a deadline beyond the longest timer does not fire at once', async () => {
    const server = await serveHttp((_request, response) => setTimeout(() => response.end('ok'), 30));
    expect(await download(testFetcher({ totalTimeoutMs: 2 ** 40 }), urlOf(server))).toHaveLength(2);
  });
});

describe('aborting', () => {
  test("the caller's signal ends a body", async () => {
    const server = await serveDrip();
    const controller = new AbortController();
    const { body } = await testFetcher().fetch(urlOf(server), { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    const error = await refusal(readAll(body));
    expect(error).toMatchObject({ code: 'fetch_failed', cause: controller.signal.reason });
    await closed(server);
  });

  test("the caller's signal ends the wait for headers, and its AppError is passed on", async () => {
    const server = await serveTcp(() => {});
    const controller = new AbortController();
    const reason = new AppError('request_timeout', 'Too late.');
    setTimeout(() => controller.abort(reason), 50);
    expect(await refusal(testFetcher().fetch(urlOf(server), { signal: controller.signal }))).toBe(reason);
    await closed(server);
  });

  test('a signal that is already aborted ends the fetch', async () => {
    const server = await serveHttp(() => {});
    const error = await refusal(testFetcher().fetch(urlOf(server), { signal: AbortSignal.abort() }));
    expect(error.code).toBe('fetch_failed');
    expect(server.accepted()).toBe(0);
  });

  test('a reader that stops early closes the connection', async () => {
    const server = await serveFlood();
    const { body } = await testFetcher().fetch(urlOf(server));
    for await (const _chunk of body) break;
    await closed(server);
  });

  test('destroying a body that waits for its next byte closes the connection at once', async () => {
    const server = await serveTcp((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'));
    const { body } = await testFetcher().fetch(urlOf(server));
    body.resume();
    await sleep(20);
    body.destroy();
    await closed(server);
  });

  test('close() aborts running fetches and refuses new ones', async () => {
    const server = await serveDrip();
    const silent = await serveTcp(() => {});
    const fetcher = testFetcher();
    const { body } = await fetcher.fetch(urlOf(server));
    const waiting = refusal(fetcher.fetch(urlOf(silent)));
    await sleep(30);
    await fetcher.close();
    expect((await refusal(readAll(body))).message).toContain('shutting down');
    expect((await waiting).message).toContain('shutting down');
    expect((await refusal(fetcher.fetch(urlOf(server)))).message).toContain('shutting down');
    await closed(server);
    await closed(silent);
  });
});

test('a slow reader stops the transfer from the network', async () => {
  const server = await serveFlood();
  const { body } = await testFetcher({ maxBytes: 2 ** 40 }).fetch(urlOf(server));
  await vi.waitFor(async () => {
    const before = server.sent();
    await sleep(100);
    expect(server.sent()).toBe(before);
  }, 15_000);
  // What fits into the buffers of both sockets.
  expect(server.sent()).toBeLessThan(32 * 2 ** 20);
  expect(body.readableLength).toBeLessThan(256 * 1024);
});
