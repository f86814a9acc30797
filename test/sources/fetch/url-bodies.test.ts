// Case numbers in titles are those of the table in docs/threat-model.md.
import { randomBytes } from 'node:crypto';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { download, type LocalServer, readAll, refusal, serveHttp, serveTcp, testFetcher } from './local-server.ts';

const urlOf = (server: LocalServer): string => `http://127.0.0.1:${server.port}/a.png?sig=s3cr3t`;

const closed = (server: LocalServer): Promise<void> =>
  vi.waitFor(() => expect(server.open()).toBe(0), { interval: 5, timeout: 15_000 });

/** Sends `head` and `parts` as they are, then closes the connection. */
function serveRaw(head: string, ...parts: (string | Buffer)[]): Promise<LocalServer> {
  return serveTcp((socket) => socket.end(Buffer.concat([`HTTP/1.1 200 OK\r\n${head}\r\n`, ...parts].map(toBytes))));
}
const toBytes = (part: string | Buffer): Buffer => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part);

const serveCoded = (coding: string, bytes: Buffer): Promise<LocalServer> =>
  serveHttp((_request, response) => response.writeHead(200, { 'content-encoding': coding }).end(bytes));

const CODINGS = [
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['GZIP', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
] as const;

describe('bodies', () => {
  const file = randomBytes(300_000);

  test('a file is returned with the type, length and name of its response', async () => {
    const server = await serveHttp((_request, response) =>
      response
        .writeHead(200, {
          'content-type': 'image/png; x=y',
          'content-length': file.length,
          'content-disposition': `attachment; filename="x.png"; filename*=UTF-8''na%C3%AFve.png`,
        })
        .end(file),
    );
    const { body, ...rest } = await testFetcher().fetch(urlOf(server));
    expect(rest).toEqual({
      contentType: 'image/png; x=y',
      contentLength: file.length,
      filename: 'naïve.png',
      finalUrl: urlOf(server),
    });
    expect((await readAll(body)).equals(file)).toBe(true);
    await closed(server);
  });

  test('a chunked file has no known length', async () => {
    const server = await serveHttp((_request, response) => void (response.write('ab'), response.end('cd')));
    const fetched = await testFetcher().fetch(urlOf(server));
    expect(fetched).toMatchObject({ contentLength: undefined, contentType: undefined, filename: 'a.png' });
    expect((await readAll(fetched.body)).toString()).toBe('abcd');
  });

  test('a body that ends with the connection is read', async () => {
    const server = await serveRaw('', file);
    expect((await download(testFetcher(), urlOf(server))).equals(file)).toBe(true);
  });

  test.each(CODINGS)('%s is decoded', async (coding, compress) => {
    const server = await serveCoded(coding, compress(file));
    const { body, contentLength } = await testFetcher().fetch(urlOf(server));
    expect(contentLength).toBeUndefined();
    expect((await readAll(body)).equals(file)).toBe(true);
    await closed(server);
  });

  test('several gzip members are one file', async () => {
    const server = await serveCoded('gzip', Buffer.concat([gzipSync('ab'), gzipSync('cd')]));
    expect((await download(testFetcher(), urlOf(server))).toString()).toBe('abcd');
  });

  test.each(['compress', 'gzip, br', 'constructor', 'aws-chunked'])('the coding %s is refused', async (coding) => {
    const server = await serveCoded(coding, gzipSync(gzipSync(file)));
    expect((await refusal(testFetcher().fetch(urlOf(server)))).code).toBe('fetch_failed');
    await closed(server);
  });

  test.each(CODINGS)('case 75: gzip bomb: %s', async (coding, compress) => {
    const server = await serveCoded(coding, compress(Buffer.alloc(20_000_000)));
    const error = await refusal(download(testFetcher(), urlOf(server)));
    expect(error.code).toBe('too_large');
    await closed(server);
  });

  test('case 75: gzip bomb: members without content, for ever', async () => {
    const empty = Buffer.concat(Array<Buffer>(1000).fill(gzipSync('')));
    const server = await serveHttp((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      const more = (): void => {
        while (response.write(empty));
        response.once('drain', more);
      };
      more();
    });
    expect((await refusal(download(testFetcher(), urlOf(server)))).code).toBe('too_large');
    await closed(server);
  });

  test('case 76: endless body', async () => {
    const server = await serveHttp((_request, response) => {
      const more = (): void => {
        while (response.write(file));
        response.once('drain', more);
      };
      more();
    });
    const { body } = await testFetcher().fetch(urlOf(server));
    let received = 0;
    const reading = async (): Promise<void> => {
      for await (const chunk of body as AsyncIterable<Buffer>) received += chunk.length;
    };
    expect((await refusal(reading())).code).toBe('too_large');
    expect(received).toBeLessThanOrEqual(1_000_000);
    await closed(server);
  });

  test('case 76: a Content-Length over the cap is refused before the body', async () => {
    const server = await serveHttp((_request, response) => {
      response.writeHead(200, { 'content-length': 1_000_001 }).flushHeaders();
    });
    const error = await refusal(testFetcher().fetch(urlOf(server)));
    expect(error.code).toBe('too_large');
    expect(error.message).toContain('1000001');
    await closed(server);
  });

  test('a body of exactly the allowed size is read', async () => {
    const server = await serveHttp((_request, response) => response.end(file));
    expect(await download(testFetcher({ maxBytes: file.length }), urlOf(server))).toHaveLength(file.length);
    const error = await refusal(download(testFetcher({ maxBytes: file.length - 1 }), urlOf(server)));
    expect(error.code).toBe('too_large');
  });

  test.each(CODINGS)('case 78: short body: %s data cut off', async (coding, compress) => {
    const bytes = compress(file);
    for (const part of [bytes.subarray(0, -1), bytes.subarray(0, bytes.length / 2), bytes.subarray(0, 0)]) {
      const server = await serveCoded(coding, part);
      expect((await refusal(download(testFetcher(), urlOf(server)))).code).toBe('fetch_failed');
    }
  });

  test.each(CODINGS)('case 78: wrong length: %s data with bytes after its end', async (coding, compress) => {
    // A second frame is legal in zstd, but would be dropped in silence.
    const trailer = /gzip/i.test(coding) ? Buffer.from('more') : compress('more');
    const server = await serveCoded(coding, Buffer.concat([compress('file'), trailer]));
    expect((await refusal(download(testFetcher(), urlOf(server)))).code).toBe('fetch_failed');
    await closed(server);
  });

  test('case 78: wrong length: bytes that come later, after the end of the coded data', async () => {
    const server = await serveHttp((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'br' }).write(brotliCompressSync('file'));
      setTimeout(() => response.end('more'), 50);
    });
    expect((await refusal(download(testFetcher(), urlOf(server)))).code).toBe('fetch_failed');
  });

  test.each([
    ['fewer bytes than Content-Length', 'content-length: 10\r\n', 'abc'],
    ['no bytes at all', 'content-length: 10\r\n', ''],
    ['chunk cut off', 'transfer-encoding: chunked\r\n', 'a\r\nabc'],
    ['last chunk missing', 'transfer-encoding: chunked\r\n', '3\r\nabc\r\n'],
    ['last chunk without its end', 'transfer-encoding: chunked\r\n', '3\r\nabc\r\n0\r\n'],
    ['gzip done, last chunk missing', 'transfer-encoding: chunked\r\ncontent-encoding: gzip\r\n', gzipChunk()],
    ['two lengths', 'content-length: 3\r\ncontent-length: 4\r\n', 'abcd'],
    ['length and chunks', 'content-length: 3\r\ntransfer-encoding: chunked\r\n', '3\r\nabc\r\n0\r\n\r\n'],
    ['negative length', 'content-length: -3\r\n', 'abc'],
    ['huge length', 'content-length: 99999999999999999999\r\n', 'abc'],
  ])('case 78: short body, wrong length: %s', async (_name, head, body) => {
    for (const connection of ['', 'connection: close\r\n', 'connection: keep-alive\r\n']) {
      const server = await serveRaw(connection + head, body);
      const error = await refusal(download(testFetcher(), urlOf(server)));
      expect(error.code).toBe('fetch_failed');
      expect(error.message).not.toContain('s3cr3t');
      await closed(server);
    }
  });

  function gzipChunk(): Buffer {
    const bytes = gzipSync('abc');
    return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
  }

  test.each(['content-length: 10\r\n', 'transfer-encoding: chunked\r\n', 'connection: close\r\n', ''])(
    'case 78: short body: reset after %j',
    async (head) => {
      const server = await serveTcp((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n`);
        socket.write(head.includes('chunked') ? '3\r\nabc\r\n' : 'abc');
        setTimeout(() => socket.resetAndDestroy(), 50);
      });
      const error = await refusal(download(testFetcher(), urlOf(server)));
      expect(error).toMatchObject({ code: 'fetch_failed', cause: expect.any(Error) });
    },
  );

  test('case 78: more bytes than Content-Length: the announced ones are the file', async () => {
    const server = await serveRaw('content-length: 3\r\n', 'abcdef');
    expect((await download(testFetcher(), urlOf(server))).toString()).toBe('abc');
  });

  test.each([201, 202, 204, 205, 206, 226, 400, 401, 403, 404, 410, 416, 429, 500, 503])(
    'status %d is not the file',
    async (status) => {
      const server = await serveHttp((_request, response) => response.writeHead(status).end());
      const error = await refusal(testFetcher().fetch(urlOf(server)));
      expect(error.code).toBe('fetch_failed');
      expect(error.message).toContain(String(status));
      expect(error.message).not.toContain('s3cr3t');
      await closed(server);
    },
  );

  test.each(['', 'nonsense\r\n\r\n', 'HTTP/1.1 200 OK\r\ncontent-', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}`])(
    'what is not an HTTP response: %#',
    async (answer) => {
      const server = await serveTcp((socket) => socket.end(answer));
      const error = await refusal(testFetcher().fetch(urlOf(server)));
      expect(error).toMatchObject({ code: 'fetch_failed', cause: expect.any(Error) });
      await closed(server);
    },
  );
});
