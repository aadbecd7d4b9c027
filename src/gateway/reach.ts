/**
 * How a decided host is reached: at a checked address, or through the proxy that the host's environment names. A rule
 * that names private addresses always means those addresses, and is never sent to a proxy.
 */
import { isIP } from "node:net";
import type { Decisions } from "./decisions.ts";
import type { Denial } from "./denial.ts";
import type { Named, Resolver } from "./resolve.ts";
import type { FindProxy, HostProxy } from "./upstream-proxy.ts";

export type Way = { address: string } | { proxy: HostProxy };

export type Reached = { ok: true; way: Way; shown: string } | { ok: false; denial: Denial };

export type Reach = (
  to: { scheme: "http" | "https"; host: string; port: number },
  named: Named,
  rule: string,
) => Promise<Reached>;

export function createReach(
  decisions: Pick<Decisions, "classifyAddress">,
  resolver: Resolver,
  findProxy: FindProxy,
): Reach {
  return async ({ scheme, host, port }, named, rule) => {
    const proxy = named.addresses.length === 0 && !named.only ? findProxy(scheme, host, port) : undefined;
    if (proxy === undefined) {
      const resolved = await resolver.resolve(host, named, rule);
      return resolved.ok ? { ok: true, way: { address: resolved.address }, shown: resolved.address } : resolved;
    }
    const literal = isIP(host) === 0 ? undefined : decisions.classifyAddress(host);
    // What the proxy itself calls localhost is its own services; no answer of a resolver stands between.
    const kind = literal?.ok === false ? literal.kind : /(?:^|\.)localhost$/.test(host) ? "loopback" : undefined;
    if (kind !== undefined) {
      const why = `${host} is ${kind}`;
      const next = "If that is meant, the policy must name its address under `addresses` beside this host.";
      return { ok: false, denial: { status: 403, code: "address-refused", rule, why, next } };
    }
    return { ok: true, way: { proxy }, shown: `via proxy ${proxy.host}:${proxy.port}` };
  };
}
