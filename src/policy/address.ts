/**
 * One classifier for IP addresses, on their bytes. Only globally routable unicast is public; everything else is refused by
 * its kind (IANA special-purpose registries, RFC 6890). Forms of IPv6 that carry an IPv4 address are refused whole: what
 * they reach depends on a translator that the host does not control.
 */
import ipaddr from "ipaddr.js";

/** A public address in its canonical spelling, or why an address is not one. */
export type AddressClass = { ok: true; canonical: string } | { ok: false; kind: string };

type Range = readonly [prefix: string, kind: string];

/** Checked in order; the first hit names the kind. */
const ranges4: readonly Range[] = [
  ["0.0.0.0/32", "unspecified"],
  ["0.0.0.0/8", "this-network"],
  ["10.0.0.0/8", "private"],
  ["100.100.100.200/32", "metadata"],
  ["100.64.0.0/10", "carrier-grade-nat"],
  ["127.0.0.0/8", "loopback"],
  // Azure's wire server answers any guest at this otherwise public address.
  ["168.63.129.16/32", "metadata"],
  ["169.254.169.254/32", "metadata"],
  ["169.254.170.2/32", "metadata"],
  ["169.254.0.0/16", "link-local"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.192/32", "metadata"],
  ["192.0.0.0/24", "reserved"],
  ["192.0.2.0/24", "documentation"],
  ["192.88.99.0/24", "6to4-relay"],
  ["192.168.0.0/16", "private"],
  ["198.18.0.0/15", "benchmarking"],
  ["198.51.100.0/24", "documentation"],
  ["203.0.113.0/24", "documentation"],
  ["224.0.0.0/4", "multicast"],
  ["255.255.255.255/32", "broadcast"],
  ["240.0.0.0/4", "reserved"],
];

const ranges6: readonly Range[] = [
  ["::/128", "unspecified"],
  ["::1/128", "loopback"],
  ["::ffff:0:0/96", "ipv4-mapped"],
  ["::ffff:0:0:0/96", "ipv4-translated"],
  ["::/96", "ipv4-compatible"],
  ["64:ff9b::/96", "nat64"],
  ["64:ff9b:1::/48", "nat64-local"],
  ["100::/64", "discard"],
  ["2001::/32", "teredo"],
  ["2001:2::/48", "benchmarking"],
  ["2001::/23", "reserved"],
  ["2001:db8::/32", "documentation"],
  ["2002::/16", "6to4"],
  ["3fff::/20", "documentation"],
  ["fd00:ec2::/32", "metadata"],
  ["fd20:ce::254/128", "metadata"],
  ["fc00::/7", "unique-local"],
  ["fe80::/10", "link-local"],
  ["fec0::/10", "site-local"],
  ["ff00::/8", "multicast"],
];

const compile = (ranges: readonly Range[]) =>
  ranges.map(([text, kind]) => {
    const [prefix, bits] = ipaddr.parseCIDR(text);
    return { bytes: prefix.toByteArray(), bits, kind };
  });
const table4 = compile(ranges4);
const table6 = compile(ranges6);
const global6 = compile([["2000::/3", "global"]]);

/**
 * Classifies one address. Only the plain spellings are read (dotted decimal, RFC 4291 text): any other spelling is
 * `malformed`, because two parsers may read it as two addresses (`010.8.8.8`). Zone ids are refused.
 */
export function classifyAddress(address: string): AddressClass {
  const bytes = addressBytes(address);
  if (bytes === undefined) return { ok: false, kind: "malformed" };
  const kind = bytes.length === 4 ? kindOf(bytes, table4) : kind6(bytes);
  return kind === undefined ? { ok: true, canonical: showBytes(bytes) } : { ok: false, kind };
}

/** Whether two texts are one address, byte for byte. A mapped form and its IPv4 address are two. */
export function sameAddress(a: string, b: string): boolean {
  const left = addressBytes(a);
  const right = addressBytes(b);
  return (
    left !== undefined && right !== undefined && left.length === right.length && left.every((v, i) => v === right[i])
  );
}

/** The canonical spelling (RFC 5952 for IPv6) of an address of any kind; undefined where the text is not one. */
export function canonicalAddress(address: string): string | undefined {
  const bytes = addressBytes(address);
  return bytes && showBytes(bytes);
}

/** 4 or 16 bytes of an address in a plain spelling; undefined for anything else. */
function addressBytes(address: string): number[] | undefined {
  if (/^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/.test(address)) {
    const bytes = address.split(".").map(Number);
    return bytes.every((byte) => byte <= 255) ? bytes : undefined;
  }
  if (!/^[0-9a-fA-F:.]{2,45}$/.test(address) || !address.includes(":")) return undefined;
  let text = address;
  const tail = address.slice(address.lastIndexOf(":") + 1);
  if (tail.includes(".")) {
    // The library reads `::127.0.0.1` as the mapped form, which is another address: it gets hexadecimal groups only.
    const [a = 0, b = 0, c = 0, d = 0] = addressBytes(tail) ?? [Number.NaN];
    if (Number.isNaN(a)) return undefined;
    text = `${address.slice(0, -tail.length)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  if (!ipaddr.IPv6.isValid(text)) return undefined;
  return ipaddr.IPv6.parse(text).toByteArray();
}

function showBytes(bytes: number[]): string {
  const address = ipaddr.fromByteArray(bytes);
  return address.kind() === "ipv6" ? (address as ipaddr.IPv6).toRFC5952String() : address.toString();
}

function kind6(bytes: number[]): string | undefined {
  const known = kindOf(bytes, table6);
  if (known !== undefined) {
    const embedded =
      known === "ipv4-mapped" || known === "ipv4-compatible" || known === "nat64" ? bytes.slice(12) : undefined;
    const inner = embedded && kindOf(embedded, table4);
    return inner ? `${known} ${inner}` : known;
  }
  if (kindOf(bytes, global6) === undefined) return "reserved";
  // ISATAP (RFC 5214): an interface identifier that carries an IPv4 address below any prefix.
  const isatap = (bytes[8] === 0 || bytes[8] === 2) && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe;
  return isatap ? "isatap" : undefined;
}

function kindOf(
  bytes: readonly number[],
  table: readonly { bytes: number[]; bits: number; kind: string }[],
): string | undefined {
  return table.find((range) => inPrefix(bytes, range.bytes, range.bits))?.kind;
}

function inPrefix(bytes: readonly number[], prefix: readonly number[], bits: number): boolean {
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (bytes[i] !== prefix[i]) return false;
  const rest = bits & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((bytes[whole] ?? 0) & mask) === ((prefix[whole] ?? 0) & mask);
}
