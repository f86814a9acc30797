import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * The only range from which IANA assigns public IPv6 addresses; addresses outside it are refused.
 * https://www.iana.org/assignments/ipv6-address-space
 */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/** RFC 6052 section 2.1: in this NAT64 prefix the last 32 bits are the embedded IPv4 address. */
const NAT64_WELL_KNOWN = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

/**
 * Azure's WireServer gives certificates and extension settings to virtual machines at this address, although it is in a
 * public range. https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
 */
const AZURE_WIRE_SERVER = '168.63.129.16';

/**
 * Whether `address`, an IPv4 or IPv6 literal from a socket or a DNS answer, can belong to a host on the public internet.
 * False for every non-public range of the IANA special-purpose registries (RFC 6890), including those that relay to an
 * embedded IPv4 address (6to4, Teredo, local NAT64), for addresses with a zone, and for text that is not a literal
 * address (`127.1`, a name).
 *
 * IPv4-mapped addresses and those of the well-known NAT64 prefix are checked by the embedded IPv4 address, which is where
 * the packets go.
 */
export function isPublicAddress(address: string): boolean {
  // ipaddr.js also accepts `127.1` and `0x7f000001`. The URL parser normalises these, so here they are suspect.
  if (isIP(address) === 0 || address.includes('%')) return false;
  const parsed = ipaddr.parse(isIP(address) === 6 ? inHexadecimal(address) : address);
  return parsed instanceof ipaddr.IPv6 ? isPublicIpv6(parsed) : isPublicIpv4(parsed);
}

/** Rewrites `::8.8.8.8` in hexadecimal: ipaddr.js would read this IPv4-compatible address as IPv4-mapped. */
function inHexadecimal(address: string): string {
  return address.replace(/(?<!\d)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/, (_dotted, ...octets: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = octets.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}

function isPublicIpv4(address: ipaddr.IPv4): boolean {
  return address.range() === 'unicast' && address.toString() !== AZURE_WIRE_SERVER;
}

function isPublicIpv6(address: ipaddr.IPv6): boolean {
  if (address.isIPv4MappedAddress()) return isPublicIpv4(address.toIPv4Address());
  if (address.match(NAT64_WELL_KNOWN)) return isPublicIpv4(new ipaddr.IPv4(address.toByteArray().slice(12)));
  return address.match(GLOBAL_UNICAST) && address.range() === 'unicast';
}
