/** The X.509 name constraints of a lane's authority: the names its rules speak of, and nothing else (RFC 5280 4.2.1.10). */
import { isIP } from "node:net";
import type { NetworkRule } from "../domain/policy.ts";

/** A DNS name, which covers the names below it too, or one IP address. */
export type PermittedName = { dns: string } | { ip: string };

/** What the rules that can be opened speak of, each once. `*.example.org` is covered by example.org. */
export function permittedNames(rules: readonly NetworkRule[]): PermittedName[] {
  const hosts = rules
    .filter((rule) => rule.scheme !== "http" && rule.tls !== "passthrough")
    .map((rule) => rule.host.replace(/^\*\./, ""));
  return [...new Set(hosts)].map((host) => (isIP(host) === 0 ? { dns: host } : { ip: host }));
}

/** The extension's value in DER. What has no permitted name of its kind is excluded as a whole. */
export function nameConstraints(names: readonly PermittedName[]): Buffer {
  const dns = names.flatMap((name) => ("dns" in name ? [general(2, Buffer.from(name.dns, "latin1"))] : []));
  const ips = names.flatMap((name) => ("ip" in name ? [general(7, host(name.ip))] : []));
  const permitted = [...dns, ...ips];
  const excluded = [
    // An empty name is a suffix of every name.
    ...(dns.length === 0 ? [general(2, Buffer.alloc(0))] : []),
    ...(ips.length === 0 ? [general(7, Buffer.alloc(8)), general(7, Buffer.alloc(32))] : []),
  ];
  return der(
    0x30,
    Buffer.concat([
      ...(permitted.length > 0 ? [der(0xa0, Buffer.concat(permitted))] : []),
      ...(excluded.length > 0 ? [der(0xa1, Buffer.concat(excluded))] : []),
    ]),
  );
}

/** One subtree: a sequence of a context-tagged GeneralName. */
const general = (tag: number, value: Buffer) => der(0x30, der(0x80 | tag, value));

/** An address and the mask of all ones. */
function host(ip: string): Buffer {
  const bytes = isIP(ip) === 4 ? Buffer.from(ip.split(".").map(Number)) : bytes6(ip);
  return Buffer.concat([bytes, Buffer.alloc(bytes.length, 0xff)]);
}

function bytes6(ip: string): Buffer {
  const hex = new URL(`http://[${ip}]`).hostname.slice(1, -1);
  const [head = "", tail] = hex.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const front = groups(head);
  const back = groups(tail ?? "");
  const all = [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function der(tag: number, value: Buffer): Buffer {
  const { length } = value;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}
