// Case numbers in titles are those of the table in docs/threat-model.md.
import { connect } from 'node:net';
import { buildConnector } from 'undici';
import { describe, expect, test, vi } from 'vitest';
import { checkUrl, trustedHostSet } from '../../../src/sources/fetch/check-url.ts';
import { guardedConnector } from '../../../src/sources/fetch/guarded-connect.ts';
import type { HostLookup } from '../../../src/sources/fetch/resolve-host.ts';
import { download, refusal, serveHttp, serveHttps, testFetcher, tlsCert } from './local-server.ts';

const answering = (...addresses: string[]): HostLookup =>
  vi.fn<HostLookup>((_host, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    ),
  );

const LITERALS =
  `127.0.0.1 127.1 127.0.1 127.255.255.254 2130706433 0x7f000001 0x7F.0.0.1 0x7f.1 017700000001 0177.0.0.1
  0177.1 127.0.0.0x1 127.0.0.1. １２７.０.０.１ 127。0。0。1 %31%32%37.0.0.1 ①②⑦.0.0.1 0 0.0.0.0 0x0 10.0.0.1
  167772161 0xa.1 012.0.0.1 172.16.0.1 0xac100001 192.168.0.1 192.168.1 3232235521 0300.0250.0.1 [::1] [0:0:0:0:0:0:0:1]
  [::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:10.0.0.1] [0:0:0:0:0:ffff:c0a8:1] [::127.0.0.1] [64:ff9b::127.0.0.1]
  [64:ff9b::a00:1] [64:ff9b:1::7f00:1] [fd12:3456::1] [fe80::1]`.split(/\s+/);

const SPECIAL = `169.254.169.254 0xa9fea9fe 2852039166 [::ffff:169.254.169.254] [64:ff9b::a9fe:a9fe] [fd00:ec2::254]
  100.64.0.1 100.100.100.200 0.0.0.0 0.1.2.3 [::] [2002:7f00:1::] [2002:a9fe:a9fe::1] [2001:0:7f00:1::] 192.0.0.192
  168.63.129.16 224.0.0.1 255.255.255.255 [ff02::1] [fec0::1]`.split(/\s+/);

describe('forbidden places', () => {
  test.each(LITERALS)('case 70: loopback and private literals in every spelling: %s', async (host) => {
    const fetcher = testFetcher({ trustedHosts: [] });
    expect((await refusal(fetcher.fetch(`https://${host}/a.png`))).code).toBe('url_not_allowed');
  });

  test('case 70: the connected peer is checked, before a byte is sent', async () => {
    const server = await serveHttps(() => {});
    const target = { url: new URL(`https://media.test:${server.port}/`), host: 'media.test', trusted: false };
    const connector = guardedConnector({
      target,
      addresses: [{ address: '127.0.0.1', family: 4 }],
      signal: new AbortController().signal,
      secure: buildConnector({ ca: tlsCert }),
      onSocketError: () => {},
    });
    const connected = new Promise<unknown>((resolve, reject) => {
      const { hostname, protocol, port } = target.url;
      connector({ hostname, protocol, port }, (error, socket) => (error === null ? resolve(socket) : reject(error)));
    });
    expect((await refusal(connected)).code).toBe('url_not_allowed');
    await vi.waitFor(() => expect([server.accepted(), server.open()]).toEqual([1, 0]), 15_000);
    expect(server.received()).toBe(0);
  });

  test.each([
    ['private', ['10.0.0.1']],
    ['loopback', ['127.0.0.1']],
    ['IPv6 loopback', ['::1']],
    ['mapped', ['::ffff:127.0.0.1']],
    ['mixed, private last', ['93.184.215.14', '10.0.0.1']],
    ['mixed, private first', ['10.0.0.1', '93.184.215.14']],
    ['mixed families', ['2606:4700::1', 'fd00:ec2::254']],
    ['not an address', ['93.184.215.14', 'localhost']],
  ])('case 71: DNS to private; mixed answers: %s', async (_name, addresses) => {
    const lookup = answering(...addresses);
    const fetcher = testFetcher({ lookup });
    const error = await refusal(fetcher.fetch('https://media.test/a.png?X-Amz-Signature=s3cr3t'));
    expect(error.code).toBe('url_not_allowed');
    expect(error.message).not.toMatch(/s3cr3t|10\.0\.0\.1/);
    expect(lookup).toHaveBeenCalledOnce();
  });

  test.each(['localhost', 'LOCALHOST.', 'a.localhost', 'metadata.google.internal'])(
    'case 71: the addresses of %s decide, not its name',
    async (host) => {
      const lookup = answering('127.0.0.1');
      const error = await refusal(testFetcher({ lookup }).fetch(`https://${host}/`));
      expect(error.code).toBe('url_not_allowed');
    },
  );

  test('case 71: rebinding between check and connect: the DNS is asked once, and its answer is what is used', async () => {
    const server = await serveHttp((_request, response) => response.end('here'));
    let calls = 0;
    const lookup: HostLookup = (_host, _options, callback) => {
      calls += 1;
      const answer = [{ address: calls === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
      callback(null, answer);
      if (answer[0]) answer[0].address = '127.0.0.3';
    };
    const fetcher = testFetcher({ lookup, trustedHosts: ['media.test'] });
    expect((await download(fetcher, `http://media.test:${server.port}/`)).toString()).toBe('here');
    expect(calls).toBe(1);
  });

  test('case 71: a name that the DNS does not know', async () => {
    const notFound = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    const fetcher = testFetcher({ lookup: (_host, _options, callback) => callback(notFound, []) });
    const error = await refusal(fetcher.fetch('https://media.test/'));
    expect(error).toMatchObject({ code: 'fetch_failed', cause: notFound });
    expect(error.message).toContain('ENOTFOUND');
  });

  test.each(SPECIAL)('case 73: metadata, CGNAT, 0.0.0.0, [::], 6to4, Teredo: %s', async (host) => {
    const error = await refusal(testFetcher().fetch(`https://${host}/latest/meta-data/`));
    expect(error.code).toBe('url_not_allowed');
  });

  test.each([
    'https://user@93.184.215.14/',
    'https://user:s3cr3t@93.184.215.14/',
    'https://:@93.184.215.14/',
    'https://@93.184.215.14/',
    'https:@93.184.215.14/',
    'https://media.test@127.0.0.1/',
    'https://93.184.215.14:80/',
    'https://93.184.215.14:8443/',
    'https://93.184.215.14:22/',
    'https://93.184.215.14:99999/',
    'http://93.184.215.14/',
    'http://93.184.215.14:443/',
    'https://media\t.test/',
    'https://me\ndia.test/',
    'https://media.test\r/',
    'ht\ttps://media.test/',
    'https://media.test/\0',
    'https://media.test/\x7f',
    'https://media.test/\x85',
    'https://media.test\\@127.0.0.1/',
    'https:\\\\media.test/',
    '\nhttps://media.test/',
    'https://media..test/',
    'https://media.test../',
    'https://./',
    'https:///',
    'https://[::1/',
    'https://[fe80::1%25eth0]/',
    'file:///etc/passwd',
    'ftp://media.test/',
    'gopher://media.test/',
    'data:text/plain,hello',
    'blob:https://media.test/1',
    'javascript:1',
    'media.test/a.png',
    '//media.test/a.png',
    '',
    `https://media.test/${'a'.repeat(2000)}`,
    `https://media.test/${'é'.repeat(1000)}`,
  ])('case 74: user info, odd ports, tab in host: %j', async (url) => {
    const error = await refusal(testFetcher({ trustedHosts: [] }).fetch(url));
    expect(error.code).toBe('url_not_allowed');
    expect(error.message).not.toMatch(/s3cr3t|user:/);
  });

  test('case 74: user info is refused for trusted hosts too', async () => {
    expect((await refusal(testFetcher().fetch('http://user:s3cr3t@127.0.0.1/'))).code).toBe('url_not_allowed');
  });

  test('ordinary URLs pass', () => {
    const none = trustedHostSet([]);
    for (const [raw, href] of [
      ['https://media.test', 'https://media.test/'],
      ['HTTPS://Media.Test:443/A%20b.png?q=a@b#part', 'https://media.test/A%20b.png?q=a@b'],
      ['https://media.test./a@b', 'https://media.test/a@b'],
      ['https://media.test?x=1@2', 'https://media.test/?x=1@2'],
      ['https://8.8.8.8/', 'https://8.8.8.8/'],
      ['https://[2606:4700:4700::1111]/', 'https://[2606:4700:4700::1111]/'],
      ['https://bücher.example/', 'https://xn--bcher-kva.example/'],
    ] as const) {
      expect(checkUrl(raw, none)).toMatchObject({ url: { href }, trusted: false });
    }
  });
});

describe('trusted hosts', () => {
  test.each([
    ['Media.Test', 'http://media.test:8080/', true],
    ['media.test.', 'http://MEDIA.TEST/', true],
    ['media.test', 'http://media.test./', true],
    ['::1', 'http://[0:0:0:0:0:0:0:1]/', true],
    ['[::1]', 'http://[::1]:81/', true],
    ['0x7f.1', 'http://127.0.0.1/', true],
    ['media.test', 'https://a.media.test/', false],
    ['media.test', 'https://xmedia.test/', false],
    ['media.test', 'https://media.test.example/', false],
  ])('%s: %s is trusted: %s', (entry, url, trusted) => {
    expect(checkUrl(url, trustedHostSet([entry])).trusted).toBe(trusted);
  });

  test('a name that resolves to a trusted address is not trusted', async () => {
    const server = await serveHttp(() => {});
    const fetcher = testFetcher({ lookup: answering('127.0.0.1') });
    expect((await refusal(fetcher.fetch('https://media.test/'))).code).toBe('url_not_allowed');
    expect(server.accepted()).toBe(0);
  });

  test.each(['', 'media.test:8080', 'https://media.test', '*.media.test', 'a b', '[::1', 'user@media.test', 'a/b'])(
    'the entry %j is a fault of the configuration',
    (entry) => {
      expect(() => trustedHostSet([entry])).toThrow(/trusted host/);
    },
  );

  test('TLS: the certificate of a trusted host is checked as well', async () => {
    const server = await serveHttps((_request, response) => response.end('sealed'));
    const lookup = answering('127.0.0.1');
    const trustedHosts = ['media.test', 'other.test'];
    const fetcher = testFetcher({ lookup, trustedHosts, tls: { ca: tlsCert } });
    expect((await download(fetcher, `https://media.test:${server.port}/`)).toString()).toBe('sealed');

    const otherName = await refusal(fetcher.fetch(`https://other.test:${server.port}/`));
    expect(otherName.message).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
    const unknownIssuer = testFetcher({ lookup, trustedHosts });
    const error = await refusal(unknownIssuer.fetch(`https://media.test:${server.port}/`));
    expect(error.code).toBe('fetch_failed');
    expect(error.message).toContain('SELF_SIGNED');
  });

  test('the test servers are reachable without a fetcher', async () => {
    const server = await serveHttp(() => {});
    connect(server.port, '127.0.0.1').end('x');
    await vi.waitFor(() => expect(server.received()).toBe(1), 15_000);
  });
});
