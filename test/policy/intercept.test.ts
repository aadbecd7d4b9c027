import { describe, expect, test } from "vitest";
import type { NetworkRule } from "../../src/domain/policy.ts";
import { canonicalRequest } from "../../src/policy/canonical-request.ts";
import { compileRules, decideRequest, decideTls } from "../../src/policy/decide.ts";
import { ruleProblems } from "../../src/policy/rules.ts";

const code = (rule: NetworkRule | NetworkRule[], method: string, url: string, upgrade?: "websocket") => {
  const made = canonicalRequest({ method, url, ...(upgrade ? { upgrade } : {}) });
  if (!made.ok) return made.code;
  const decision = decideRequest([rule].flat(), made.request);
  return decision.allow ? "allow" : decision.code;
};

describe("TLS to a host", () => {
  test("is opened where any rule names the host and port, whatever else that rule says", () => {
    const rules: NetworkRule[] = [
      { host: "a.org", methods: ["GET"], paths: ["/x"] },
      { host: "*.b.org", port: 8443, query: {} },
    ];
    expect(decideTls(rules, "A.org.", 443)).toEqual({
      allow: true,
      mode: "open",
      rule: "network[0] a.org",
      index: 0,
      addresses: [],
    });
    expect(decideTls(rules, "x.b.org", 8443)).toMatchObject({ allow: true, mode: "open", index: 1 });
    expect(decideTls(rules, "a.org", 8443)).toMatchObject({ allow: false, code: "port", rule: "network[0] a.org" });
    expect(decideTls(rules, "b.org", 8443)).toMatchObject({ allow: false, code: "no-rule", rule: "none" });
    expect(decideTls([{ host: "a.org", scheme: "http" }], "a.org", 443)).toMatchObject({
      allow: false,
      code: "scheme",
    });
    expect(decideTls([], "a.org", 443)).toMatchObject({ allow: false, code: "no-rule" });
    expect(decideTls(rules, "a.org@b.org", 443)).toMatchObject({ allow: false, code: "malformed" });
  });

  test("is passed through where a rule says so, in whatever order the rules stand", () => {
    const open: NetworkRule = { host: "*.a.org", scheme: "https", methods: ["GET"] };
    const pinned: NetworkRule = { host: "pin.a.org", tls: "passthrough", addresses: ["10.0.0.1"] };
    for (const rules of [
      [open, pinned],
      [pinned, open],
    ]) {
      expect(decideTls(rules, "pin.a.org", 443)).toMatchObject({
        allow: true,
        mode: "passthrough",
        rule: expect.stringContaining("pin.a.org"),
        addresses: ["10.0.0.1"],
      });
      expect(decideTls(rules, "other.a.org", 443)).toMatchObject({ allow: true, mode: "open" });
    }
  });

  test("passed through lets every request pass, of https alone", () => {
    const pinned: NetworkRule = { host: "a.org", tls: "passthrough" };
    expect(code(pinned, "DELETE", "https://a.org/x?y")).toBe("allow");
    expect(code(pinned, "GET", "https://a.org/", "websocket")).toBe("allow");
    expect(code(pinned, "GET", "http://a.org/")).toBe("scheme");
    expect(code(pinned, "GET", "https://a.org:8443/")).toBe("port");
  });

  test.each<[NetworkRule]>([
    [{ host: "a.org", tls: "passthrough", methods: ["GET"] }],
    [{ host: "a.org", tls: "passthrough", paths: ["/"] }],
    [{ host: "a.org", tls: "passthrough", query: {} }],
    [{ host: "a.org", tls: "passthrough", secret: "s" }],
    [{ host: "a.org", tls: "passthrough", websocket: true }],
    [{ host: "a.org", tls: "passthrough", scheme: "http" }],
  ])("%j speaks of what a tunnel hides, and is refused", (rule) => {
    expect(ruleProblems(rule, [])).toHaveLength(1);
  });

  test("rules for tunnels that say only what can be seen are taken", () => {
    expect(
      ruleProblems({ host: "a.org", tls: "passthrough", scheme: "https", port: 8443, addresses: ["10.0.0.1"] }, []),
    ).toEqual([]);
    expect(ruleProblems({ host: "a.org", tls: "open", methods: ["GET"] }, [])).toEqual([]);
  });
});

describe("a WebSocket", () => {
  test("needs a rule that says so, beside its host, method and path", () => {
    const rule: NetworkRule = { host: "a.org", methods: ["GET"], paths: ["/feed"], websocket: true };
    expect(code(rule, "GET", "https://a.org/feed", "websocket")).toBe("allow");
    expect(code(rule, "GET", "https://a.org/feed")).toBe("allow");
    expect(code(rule, "GET", "https://a.org/other", "websocket")).toBe("path");
    expect(code({ ...rule, websocket: false }, "GET", "https://a.org/feed", "websocket")).toBe("websocket");
    expect(code({ host: "a.org" }, "GET", "https://a.org/feed", "websocket")).toBe("websocket");
    expect(code({ ...rule, methods: ["POST"] }, "GET", "https://a.org/feed", "websocket")).toBe("method");
  });

  test("is opened with GET and nothing else", () => {
    expect(code({ host: "a.org", websocket: true }, "POST", "https://a.org/", "websocket")).toBe("malformed");
  });
});

test("an allowing rule names its secret and its place, and no other's", () => {
  const rules: NetworkRule[] = [
    { host: "a.org", scheme: "https", paths: ["/public/**"] },
    { host: "a.org", scheme: "https", paths: ["/private/**"], secret: "token" },
  ];
  const compiled = compileRules(rules);
  const ask = (path: string) => {
    const made = canonicalRequest({ method: "GET", url: `https://a.org${path}` });
    return made.ok ? compiled.decide(made.request) : undefined;
  };
  expect(ask("/private/x")).toEqual({
    allow: true,
    rule: "network[1] a.org",
    index: 1,
    addresses: [],
    secret: "token",
  });
  expect(ask("/public/x")).toEqual({ allow: true, rule: "network[0] a.org", index: 0, addresses: [] });
  // `/public/..%2fprivate/x` is below /public to one server and below /private to another: neither rule vouches for both.
  expect(ask("/public/..%2fprivate/x")).toMatchObject({ allow: false, code: "path" });
});
