import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPublicAddress } from '../../../src/sources/fetch/public-address.ts';

/** First and last address of each range; both are refused, their neighbours outside are listed below. */
const SPECIAL = [
  ['this network', '0.0.0.0', '0.255.255.255'],
  ['private 10', '10.0.0.0', '10.255.255.255'],
  ['shared (CGNAT)', '100.64.0.0', '100.127.255.255'],
  ['loopback', '127.0.0.0', '127.255.255.255'],
  ['link-local', '169.254.0.0', '169.254.255.255'],
  ['private 172.16', '172.16.0.0', '172.31.255.255'],
  ['protocol assignments', '192.0.0.0', '192.0.0.255'],
  ['documentation 1', '192.0.2.0', '192.0.2.255'],
  ['AS112', '192.31.196.0', '192.31.196.255'],
  ['AMT', '192.52.193.0', '192.52.193.255'],
  ['6to4 relays', '192.88.99.0', '192.88.99.255'],
  ['private 192.168', '192.168.0.0', '192.168.255.255'],
  ['AS112 direct', '192.175.48.0', '192.175.48.255'],
  ['benchmarks', '198.18.0.0', '198.19.255.255'],
  ['documentation 2', '198.51.100.0', '198.51.100.255'],
  ['documentation 3', '203.0.113.0', '203.0.113.255'],
  ['multicast', '224.0.0.0', '239.255.255.255'],
  ['reserved', '240.0.0.0', '255.255.255.255'],
  ['Azure WireServer', '168.63.129.16', '168.63.129.16'],
  ['unspecified', '::', '::'],
  ['loopback', '::1', '::1'],
  ['IPv4-compatible', '::2', '::ffff:ffff'],
  ['IPv4-compatible, public inside', '::8.8.8.8', '::1.1.1.1'],
  ['IPv4-mapped loopback', '::ffff:127.0.0.1', '::ffff:7fff:ffff'],
  ['IPv4-mapped private', '::ffff:10.0.0.1', '::ffff:c0a8:101'],
  ['IPv4-translated', '::ffff:0:0:0', '::ffff:0:8.8.8.8'],
  ['NAT64, private inside', '64:ff9b::7f00:1', '64:ff9b::169.254.169.254'],
  ['NAT64, local use', '64:ff9b:1::7f00:1', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
  ['discard', '100::', '100::ffff:ffff:ffff:ffff'],
  ['not handed out', '200::', '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['Teredo', '2001::', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['protocol assignments', '2001:1::', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['documentation', '2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['6to4', '2002::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['6to4 of a private address', '2002:7f00:1::', '2002:a00:1::'],
  ['AS112', '2620:4f:8000::', '2620:4f:8000:ffff:ffff:ffff:ffff:ffff'],
  ['documentation', '3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['not handed out', '4000::', 'fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['segment routing', '5f00::', '5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['unique local', 'fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['cloud metadata', 'fd00:ec2::254', 'fd20:ce::254'],
  ['link-local', 'fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['site-local', 'fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['multicast', 'ff00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
] as const;

const PUBLIC = `1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
  168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.167.255.255
  192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
  2000:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2003:: 2606:4700:4700::1111 2a00:1450:4001:81b::200e 3ffe:ffff:: 3fff:1000::
  ::ffff:8.8.8.8 ::ffff:808:808 64:ff9b::8.8.8.8 64:ff9b::808:808`.split(/\s+/);

describe('isPublicAddress', () => {
  test.each(SPECIAL)('refuses %s: %s to %s', (_name, first, last) => {
    expect(isPublicAddress(first)).toBe(false);
    expect(isPublicAddress(last)).toBe(false);
  });

  test.each(PUBLIC)('accepts %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test.each(['', ' ', 'localhost', '127.1', '2130706433', '0x7f.1', '010.8.8.8', '8.8.8', '8.8.8.8 ', '[2000::1]'])(
    'refuses %j, which is not an address as sockets give it',
    (text) => {
      expect(isPublicAddress(text)).toBe(false);
    },
  );

  test.each(['fe80::1%eth0', '2000::1%eth0'])('refuses %s for its zone', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  const octet = fc.nat(255);
  const ipv4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));

  test('never throws, and never takes other text for an address', () => {
    fc.assert(fc.property(fc.string(), (text) => !isPublicAddress(text) || /^[\d.]+$|:/.test(text)));
  });

  test('checks mapped and NAT64 addresses by the embedded IPv4 address, in both notations', () => {
    fc.assert(
      fc.property(ipv4, (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
        const hex = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
        const expected = isPublicAddress(address);
        for (const prefix of ['::ffff:', '64:ff9b::', '0:0:0:0:0:ffff:', '::FFFF:', '0064:FF9B::']) {
          expect(isPublicAddress(prefix + address), prefix + address).toBe(expected);
          expect(isPublicAddress(prefix + hex), prefix + hex).toBe(expected);
        }
      }),
    );
  });

  test('refuses everything in the private ranges', () => {
    const inside = fc.oneof(
      fc.tuple(octet, octet, octet).map(([b, c, d]) => `10.${b}.${c}.${d}`),
      fc.tuple(octet, octet, octet).map(([b, c, d]) => `127.${b}.${c}.${d}`),
      fc.tuple(fc.integer({ min: 16, max: 31 }), octet, octet).map(([b, c, d]) => `172.${b}.${c}.${d}`),
      fc.tuple(fc.integer({ min: 64, max: 127 }), octet, octet).map(([b, c, d]) => `100.${b}.${c}.${d}`),
      fc.tuple(octet, octet).map(([c, d]) => `192.168.${c}.${d}`),
      fc.tuple(octet, octet).map(([c, d]) => `169.254.${c}.${d}`),
      fc.tuple(fc.integer({ min: 224, max: 255 }), octet, octet, octet).map((octets) => octets.join('.')),
    );
    fc.assert(fc.property(inside, (address) => !isPublicAddress(address)));
  });

  test('refuses IPv6 addresses outside 2000::/3, except mapped and NAT64 ones', () => {
    const group = fc.nat(0xffff);
    const first = group.filter((value) => value >> 13 !== 1 && value !== 0 && value !== 0x64);
    const outside = fc.tuple(first, group, group, group, group, group, group, group);
    fc.assert(fc.property(outside, (groups) => !isPublicAddress(groups.map((g) => g.toString(16)).join(':'))));
  });

  test('accepts nearly all other addresses', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0x2400, max: 0x25ff }), fc.nat(0xffff), (a, b) =>
        isPublicAddress(`${a.toString(16)}:${b.toString(16)}::1`),
      ),
    );
  });
});
