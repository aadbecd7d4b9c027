/**
 * Clients that know no proxy: the exact names of a lane's rules lead to loopback in its sandbox, where ports 80 and 443
 * are forwarded to sockets of their own. What such a client says is decided like anything else.
 */
import { isIP } from "node:net";
import type { NetworkRule } from "../domain/policy.ts";

/** The sockets and files of a lane's directory. */
export const laneFiles = {
  proxy: "host.sock",
  http: "http.sock",
  https: "https.sock",
  /** The lane's authority. */
  ca: "ca.pem",
  /** What the sandbox is given as /etc/hosts. */
  hosts: "hosts",
} as const;

/** More names than a hosts file should hold; the rest is reached through the proxy alone. */
const mostHosts = 512;

export interface Transparent {
  /** The names that lead to loopback in the sandbox. */
  hosts: string[];
  /** Whether anything can be asked for on port 80, and on port 443. */
  http: boolean;
  https: boolean;
}

/** What a lane with these rules offers to clients that know no proxy. */
export function transparentFor(network: readonly NetworkRule[]): Transparent {
  const named = network.filter(({ host }) => {
    const plain = !host.startsWith("*.") && isIP(host) === 0;
    return plain && !/(?:^|\.)localhost$/.test(host);
  });
  const http = named.filter(
    (rule) => rule.scheme !== "https" && rule.tls !== "passthrough" && (rule.port ?? 80) === 80,
  );
  const https = named.filter((rule) => rule.scheme !== "http" && (rule.port ?? 443) === 443);
  const hosts = [...new Set([...http, ...https].map((rule) => rule.host))].slice(0, mostHosts);
  return { hosts, http: http.length > 0, https: https.length > 0 };
}

/** The names in a lane's directory, sorted: nothing else may be there. */
export function laneEntries(network: readonly NetworkRule[]): string[] {
  const { http, https, hosts } = transparentFor(network);
  const names: string[] = [laneFiles.proxy, laneFiles.ca];
  if (http) names.push(laneFiles.http);
  if (https) names.push(laneFiles.https);
  if (hosts.length > 0) names.push(laneFiles.hosts);
  return names.sort();
}

/** A hosts file in which the names lead to loopback. */
export function hostsFile(hosts: readonly string[]): string {
  return ["127.0.0.1 localhost", "::1 localhost", ...hosts.map((host) => `127.0.0.1 ${host}`), ""].join("\n");
}
