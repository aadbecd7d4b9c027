/**
 * How a decided host is reached: at a checked address, or through the proxy that the host's environment names. A rule
 * that names private addresses always means those addresses, and is never sent to a proxy.
 */
import { isIP } from "node:net";
import type { Decisions } from "./decisions.ts";
import type { Denial } from "./denial.ts";
import type { Named, Resolved, Resolver } from "./resolve.ts";
import type { FindProxy, HostProxy } from "./upstream-proxy.ts";

export type Way = { address: string } | { proxy: HostProxy };

export type Reached = { ok: true; way: Way; shown: string } | { ok: false; denial: Denial };

export type Reach = (
  to: { scheme: "http" | "https"; host: string; port: number },
  named: Named,
  rule: string,
) => Reached | Promise<Reached>;

export function createReach(
  decisions: Pick<Decisions, "classifyAddress">,
  resolver: Resolver,
  findProxy: FindProxy,
): Reach {
  const direct = (resolved: Resolved): Reached =>
    resolved.ok ? { ok: true, way: { address: resolved.address }, shown: resolved.address } : resolved;
  return ({ scheme, host, port }, named, rule) => {
    const proxy = named.addresses.length === 0 && !named.only ? findProxy(scheme, host, port) : undefined;
    if (proxy === undefined) {
      // Most of the time the answer is there: a promise is made only where there is something to wait for.
      const resolved = resolver.resolve(host, named, rule);
      return resolved instanceof Promise ? resolved.then(direct) : direct(resolved);
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
