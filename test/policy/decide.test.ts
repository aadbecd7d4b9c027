import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type NetworkRule, networkRule } from "../../src/domain/policy.ts";
import { type CanonicalRequest, canonicalRequest } from "../../src/policy/canonical-request.ts";
import { compileRules, decideRequest, decideTls } from "../../src/policy/decide.ts";
import { ruleProblems } from "../../src/policy/rules.ts";

const request = (line: string): CanonicalRequest => {
  const [method = "", url = ""] = line.split(" ");
  const result = canonicalRequest({ method, url });
  if (!result.ok) throw new Error(result.why);
  return result.request;
};
const code = (rules: NetworkRule[], line: string) => {
  const decision = decideRequest(rules, request(line));
  return decision.allow ? decision.rule : decision.code;
};

describe("a decision", () => {
  test("no rules, an empty list and another host are all denied (N1)", () => {
    for (const rules of [undefined, [], [{ host: "other.org" }]]) {
      expect(decideRequest(rules, request("GET https://example.org/"))).toMatchObject({
        allow: false,
        code: "no-rule",
        rule: "none",
      });
      expect(decideTls(rules, "example.org", 443)).toMatchObject({ allow: false, code: "no-rule" });
    }
  });

  test.each<[NetworkRule, string, string]>([
    [{ host: "example.org" }, "GET https://example.org/", "network[0] example.org"],
    [{ host: "example.org" }, "GET http://example.org/", "network[0] example.org"],
    [{ host: "example.org" }, "PROPFIND https://example.org/", "network[0] example.org"],
    [{ host: "example.org" }, "GET https://example.org:8443/", "port"],
    [{ host: "example.org" }, "GET https://example.org:80/", "port"],
    [{ host: "example.org", port: 8443 }, "GET https://example.org:8443/", "network[0] example.org"],
    [{ host: "example.org", port: 8443 }, "GET https://example.org/", "port"],
    [{ host: "example.org", scheme: "https" }, "GET https://example.org/", "network[0] example.org"],
    [{ host: "example.org", scheme: "https" }, "GET http://example.org/", "scheme"],
    [{ host: "example.org", methods: ["GET"] }, "GET https://example.org/", "network[0] example.org"],
    [{ host: "example.org", methods: ["GET"] }, "POST https://example.org/", "method"],
    [{ host: "example.org", paths: ["/a/**"] }, "GET https://example.org/a/b", "network[0] example.org"],
    [{ host: "example.org", paths: ["/a/**"] }, "GET https://example.org/a/", "network[0] example.org"],
    [{ host: "example.org", paths: ["/a/**"] }, "GET https://example.org/a", "path"],
    [{ host: "example.org", paths: ["/a/**"] }, "GET https://example.org/a/../b", "path"],
    [{ host: "example.org", paths: ["/a/**"] }, "GET https://example.org/a/%2e%2e/b", "path"],
    [{ host: "example.org", paths: ["/a/**"] }, "GET https://example.org/a/..%2fb", "path"],
    [{ host: "example.org", paths: ["/a/**"] }, "GET https://example.org/a/%252e%252e/b", "path"],
    [{ host: "example.org", paths: ["/a/**"] }, "GET https://example.org//a//b", "network[0] example.org"],
    [{ host: "example.org", paths: ["/a/**"] }, "GET https://example.org/a/x%2fy", "network[0] example.org"],
    [{ host: "example.org", paths: ["/a/*"] }, "GET https://example.org/a/x%2fy", "path"],
    [{ host: "example.org", paths: ["/a/*"] }, "GET https://example.org/a/x;y", "network[0] example.org"],
    [{ host: "example.org", paths: ["/a/b;c"] }, "GET https://example.org/a/b;c", "path"],
    [{ host: "example.org", paths: ["/**"] }, "GET https://example.org/", "network[0] example.org"],
    [{ host: "example.org", paths: ["/"] }, "GET https://example.org/?q=1", "network[0] example.org"],
    [{ host: "*.example.org" }, "GET https://a.example.org/", "network[0] *.example.org"],
    [{ host: "*.example.org" }, "GET https://b.a.example.org/", "network[0] *.example.org"],
    [{ host: "*.example.org" }, "GET https://example.org/", "no-rule"],
    [{ host: "*.example.org" }, "GET https://badexample.org/", "no-rule"],
    [{ host: "example.org" }, "GET https://a.example.org/", "no-rule"],
    [{ host: "example.org" }, "GET https://example.org.evil.org/", "no-rule"],
    [{ host: "*" }, "GET https://example.org/", "no-rule"],
    [{ host: "*.org" }, "GET https://example.org/", "no-rule"],
    [{ host: "*.0.0.1" }, "GET https://127.0.0.1/", "no-rule"],
    [{ host: "127.0.0.1" }, "GET http://127.0.0.1/", "no-rule"],
    [{ host: "127.0.0.1", addresses: ["127.0.0.1"] }, "GET http://0x7f.1/", "network[0] 127.0.0.1"],
    [{ host: "example.org", paths: ["/!(a)"] }, "GET https://example.org/b", "no-rule"],
  ])("%j: %s is %s", (rule, line, expected) => {
    expect(code([rule], line)).toBe(expected);
  });

  test("any one rule allows; the nearest one explains a denial", () => {
    const rules: NetworkRule[] = [
      { host: "a.org", port: 8443 },
      { host: "a.org", methods: ["GET"] },
      { host: "a.org", methods: ["POST"], paths: ["/x"] },
    ];
    expect(code(rules, "POST https://a.org/x")).toBe("network[2] a.org");
    const decision = decideRequest(rules, request("POST https://a.org/y"));
    expect(decision).toMatchObject({ allow: false, code: "path", rule: "network[2] a.org" });
    expect(decision.allow ? "" : decision.next).toBe(
      `- { host: a.org, methods: [POST], paths: ["/x", "/y"] }  # in place of network[2]`,
    );
  });

  test("an allowing rule hands on the addresses it names, and no others", () => {
    expect(decideRequest([{ host: "db", addresses: ["10.0.0.1"] }], request("GET http://db/"))).toMatchObject({
      allow: true,
      index: 0,
      addresses: ["10.0.0.1"],
    });
    expect(decideRequest([{ host: "db" }], request("GET http://db/"))).toMatchObject({ allow: true, addresses: [] });
  });

  test.each<[NetworkRule, number, boolean | string]>([
    [{ host: "a.org" }, 443, true],
    [{ host: "a.org", scheme: "https" }, 443, true],
    [{ host: "a.org", port: 8443 }, 8443, true],
    [{ host: "a.org" }, 80, "port"],
    [{ host: "a.org", scheme: "http" }, 443, "scheme"],
    [{ host: "a.org", methods: ["GET"] }, 443, true],
    [{ host: "a.org", paths: ["/**"] }, 443, true],
    [{ host: "*.a.org" }, 443, "no-rule"],
  ])("TLS under %j to port %d: %s", (rule, port, expected) => {
    const decision = decideTls([rule], "A.org.", port);
    expect(decision.allow || decision.code).toBe(expected);
  });

  test("a tunnel to a host without canonical form is malformed", () => {
    expect(decideTls([{ host: "a.org" }], "a.org@b.org", 443)).toMatchObject({ allow: false, code: "malformed" });
  });
});

const hosts = ["a.org", "b.a.org", "c.b.a.org", "10.0.0.1", "x.net"];
const rule = fc.record<NetworkRule>(
  {
    host: fc.constantFrom("a.org", "*.a.org", "b.a.org", "*.b.a.org", "x.net"),
    port: fc.constantFrom(80, 443, 8443),
    scheme: fc.constantFrom("http" as const, "https" as const),
    methods: fc.uniqueArray(fc.constantFrom("GET" as const, "POST" as const, "PUT" as const), { minLength: 1 }),
    paths: fc.array(fc.constantFrom("/**", "/a/**", "/a/*", "/a/b", "/{a,b}/c"), { minLength: 1, maxLength: 3 }),
    addresses: fc.constant(["10.0.0.1"]),
  },
  { requiredKeys: ["host"] },
);
const requests = fc
  .tuple(
    fc.constantFrom("GET", "POST", "DELETE", "PROPFIND"),
    fc.constantFrom("http", "https"),
    fc.constantFrom(...hosts),
    fc.constantFrom("", ":80", ":8443"),
    fc.constantFrom(
      "/",
      "/a",
      "/a/b",
      "/a/",
      "/b/c",
      "/a/..%2fz",
      "/a(x)*",
      "/%7Bq%7D",
      "/x;y",
      "/caf%C3%A9",
      "/q/%2541",
    ),
  )
  .map(([method, scheme, host, port, path]) => request(`${method} ${scheme}://${host}${port}${path}`));

describe("what a denial says next", () => {
  test("the line it gives is a valid rule that allows the request, and still what the rule allowed before", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 4 }), requests, (rules, denied) => {
        const decision = decideRequest(rules, denied);
        if (decision.allow) return;
        const [suggested] = parse(decision.next) as [NetworkRule];
        expect(networkRule.safeParse(suggested).success, decision.next).toBe(true);
        expect(ruleProblems(suggested, [])).toEqual([]);
        expect(decideRequest([suggested], denied).allow, decision.next).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  test("the line for a tunnel allows the tunnel", () => {
    for (const [host, port] of [
      ["a.org", 443],
      ["a.org", 8443],
      ["10.0.0.1", 443],
      ["::1", 22],
    ] as const) {
      const decision = decideTls([{ host: "a.org", scheme: "http" }], host, port);
      const [suggested] = parse(decision.allow ? "" : decision.next) as [NetworkRule];
      expect(ruleProblems(suggested, [])).toEqual([]);
      expect(decideTls([suggested], host, port).allow).toBe(true);
    }
  });
});

test("a thousand rules cost a decision what one does: tens of thousands a second", () => {
  const rules: NetworkRule[] = Array.from({ length: 1000 }, (_, i) => ({
    host: i % 2 ? `*.host${i}.example.org` : `host${i}.example.org`,
    methods: ["GET"],
    paths: ["/a/**"],
  }));
  const compiled = compileRules(rules);
  const hit = request("GET https://x.host999.example.org/a/b/c");
  const miss = request("GET https://nobody.example.org/a/b/c");
  expect(compiled.decide(hit).allow).toBe(true);
  const begin = performance.now();
  for (let i = 0; i < 10_000; i++) {
    compiled.decide(hit);
    compiled.decide(miss);
  }
  expect((performance.now() - begin) / 20_000).toBeLessThan(0.1);
});

test("a thousand rules of one host cost a decision no more than a few of them", () => {
  const rules: NetworkRule[] = Array.from({ length: 1000 }, (_, i) => ({
    host: "a.org",
    scheme: "https",
    paths: [`/p${i}/**`],
  }));
  const compiled = compileRules(rules);
  const asked = ["GET https://a.org/p999/x", "GET https://a.org/none/x", "GET https://a.org/p7/..%2fp8/x"].map(request);
  expect(asked.map((one) => compiled.decide(one).allow)).toEqual([true, false, false]);
  const begin = performance.now();
  for (let i = 0; i < 3000; i++) for (const one of asked) compiled.decide(one);
  expect((performance.now() - begin) / 9000).toBeLessThan(0.25);
});
