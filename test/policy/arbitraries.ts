/** Random rules, requests and policies for the laws: few names, so that they meet often. */
import fc from "fast-check";
import type { NetworkRule, Policy } from "../../src/domain/policy.ts";
import { type CanonicalRequest, canonicalRequest } from "../../src/policy/canonical-request.ts";
import { ruleProblems } from "../../src/policy/rules.ts";

export const hosts = ["a.org", "b.a.org", "c.b.a.org", "x.net"] as const;

/** Rules that a file could hold. */
export const rules = fc
  .record<NetworkRule>(
    {
      host: fc.constantFrom("a.org", "*.a.org", "b.a.org", "*.b.a.org", "x.net"),
      port: fc.constantFrom(80, 443, 8443),
      scheme: fc.constantFrom("http" as const, "https" as const),
      methods: fc.uniqueArray(fc.constantFrom("GET" as const, "POST" as const, "PUT" as const), { minLength: 1 }),
      paths: fc.array(fc.constantFrom("/**", "/a/**", "/a/*", "/a/b", "/{a,b}/c", "/", "/a[*]"), {
        minLength: 1,
        maxLength: 3,
      }),
      query: fc.dictionary(fc.constantFrom("q", "page"), fc.constantFrom("*", "1", "a*", "{1,2}", "?"), { maxKeys: 2 }),
      websocket: fc.boolean(),
      tls: fc.constantFrom("open" as const, "passthrough" as const),
      addresses: fc.uniqueArray(fc.constantFrom("10.0.0.1", "127.0.0.1"), { minLength: 1 }),
    },
    { requiredKeys: ["host"] },
  )
  .filter((rule) => ruleProblems(rule, []).length === 0);

/** Requests that may meet them, in their one spelling. */
export const requests = fc
  .record({
    method: fc.constantFrom("GET", "POST", "DELETE", "PROPFIND"),
    scheme: fc.constantFrom("http", "https"),
    host: fc.constantFrom(...hosts),
    port: fc.constantFrom(undefined, 80, 443, 8443),
    path: fc.constantFrom("/", "/a", "/a/b", "/a/", "/b/c", "/a/..%2fz", "/a*", "/a(x)*", "/x;y", "/a/b/c", "/q/%2541"),
    query: fc.constantFrom("", "?q=1", "?q=a", "?page=2&q=1", "?q=1&q=2", "?q=%31", "?page=12", "?x", "?q=1;page=2"),
    upgrade: fc.constantFrom(undefined, undefined, "websocket" as const),
  })
  .map(({ method, scheme, host, port, path, query, upgrade }): CanonicalRequest => {
    const result = canonicalRequest({
      method: upgrade ? "GET" : method,
      scheme,
      host,
      path: path + query,
      ...(port ? { port } : {}),
      ...(upgrade ? { upgrade } : {}),
    });
    if (!result.ok) throw new Error(result.why);
    return result.request;
  });

/** A whole policy around rules. */
export function policyWith(network: NetworkRule[], more: Partial<Policy> = {}): Policy {
  return {
    version: 1,
    name: "ceiling",
    sandbox: { runtime: "runc", cpus: 1, memory: 1024 ** 3, pids: 100, disk: 1024 ** 3 },
    filesystem: { visible: ["**"], writable: ["src/**"], protected: [".git*"] },
    network,
    models: {},
    secrets: {},
    budget: { wall: 600_000, requests: 200, attempts: 3, patch: 524_288, output: 16_777_216 },
    verifier: { harness: "skeptic-rules", intent: true },
    ...more,
  };
}
