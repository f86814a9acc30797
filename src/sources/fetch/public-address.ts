import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * IPv6 addresses that belong to anybody all lie here; what IANA has not handed out yet is nobody's to be fetched from.
 * https://www.iana.org/assignments/ipv6-address-space
 */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/** RFC 6052 section 2.1: the one NAT64 prefix whose embedded address stands in a known place, the last 32 bits. */
const NAT64_WELL_KNOWN = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

/**
 * Azure answers virtual machines here (WireServer: certificates, extension settings), though by its number the
 * address is public. https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
 */
const AZURE_WIRE_SERVER = '168.63.129.16';

/**
 * Whether `address`, an IPv4 or IPv6 literal as a socket or the DNS gives it, can belong to a host on the public
 * internet. False for every range of the IANA special-purpose registries (RFC 6890) that is not one, including those
 * that smuggle an IPv4 address through a relay (6to4, Teredo, local NAT64), for addresses with a zone, and for
 * whatever is not written as an address at all (`127.1`, a name).
 *
 * IPv4-mapped addresses and those of the well-known NAT64 prefix are judged by the IPv4 address inside, for that is
 * where the packets go.
 */
export function isPublicAddress(address: string): boolean {
  // ipaddr.js also takes `127.1` and `0x7f000001`; whoever passes such a spelling has skipped the URL parser.
  if (isIP(address) === 0 || address.includes('%')) return false;
  const parsed = ipaddr.parse(isIP(address) === 6 ? inHexadecimal(address) : address);
  return parsed instanceof ipaddr.IPv6 ? isPublicIpv6(parsed) : isPublicIpv4(parsed);
}

/** ipaddr.js reads the IPv4-compatible `::8.8.8.8` as the IPv4-mapped `::ffff:8.8.8.8`, unless it is in hexadecimal. */
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
