import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Brief, brief as briefSchema } from "../../src/domain/brief.ts";
import type { SallyportError } from "../../src/domain/error.ts";
import type { NetworkRule, Policy } from "../../src/domain/policy.ts";
import { canonicalRequest } from "../../src/policy/canonical-request.ts";
import { patternCovered, ruleCovered } from "../../src/policy/cover.ts";
import { compileRules } from "../../src/policy/decide.ts";
import { parseDocument } from "../../src/policy/document.ts";
import { globProblem } from "../../src/policy/glob.ts";
import { narrowPolicy } from "../../src/policy/narrow.ts";
import { pathMatcher } from "../../src/policy/paths.ts";

const policy: Policy = {
  version: 1,
  name: "ceiling",
  sandbox: { runtime: "runc", cpus: 1, memory: 1024 ** 3, pids: 100, disk: 1024 ** 3 },
  filesystem: { visible: ["**"], writable: ["src/**", "*.md", "packages/*/test/**"], protected: [".git*"] },
  network: [
    { host: "registry.npmjs.org", methods: ["GET", "HEAD"] },
    { host: "*.example.org", scheme: "https", paths: ["/public/**"] },
    { host: "db.internal", port: 8080, scheme: "http", addresses: ["10.0.0.1", "10.0.0.2"] },
  ],
  models: {
    anthropic: { base: "https://api.example.com" },
    local: { base: "http://localhost:1/", addresses: ["127.0.0.1"] },
  },
  budget: { wall: 600_000, requests: 200, attempts: 3, patch: 524_288, output: 16_777_216 },
  verifier: { harness: "skeptic-rules", intent: true },
};
const brief = (lines: Partial<Brief>): Brief => ({
  title: "A title",
  intent: "i",
  instructions: "x",
  accept: [{ id: "A1", must: "m", checks: [] }],
  executor: "codex",
  policy: "ceiling",
  breaks: [],
  ...lines,
});
const refusal = (lines: Partial<Brief>): SallyportError | undefined => {
  try {
    narrowPolicy(policy, brief(lines));
  } catch (error) {
    return error as SallyportError;
  }
  return undefined;
};

describe("a brief only takes away", () => {
  test("what it leaves out is the policy's, and an empty list is nothing", () => {
    expect(narrowPolicy(policy, brief({}))).toEqual(policy);
    const nothing = narrowPolicy(policy, brief({ writable: [], visible: [], network: [], models: [] }));
    expect(nothing.filesystem).toEqual({ visible: [], writable: [], protected: [".git*"] });
    expect([nothing.network, nothing.models]).toEqual([[], {}]);
  });

  test.each<[Partial<Brief>]>([
    [{ writable: ["src/**"] }],
    [
      {
        writable: [
          "src/a/**",
          "src/x.ts",
          "src/**/y.ts",
          "README.md",
          "packages/*/test/**",
          "packages/a/test/b/*.ts",
          "{src/a,src/b}",
        ].slice(0, 6),
      },
    ],
    [{ visible: ["src/**"] }],
    [{ network: [{ host: "registry.npmjs.org", methods: ["GET"] }] }],
    [{ network: [{ host: "registry.npmjs.org", scheme: "https", methods: ["HEAD"], paths: ["/left-pad"] }] }],
    [{ network: [{ host: "a.example.org", scheme: "https", paths: ["/public/x"] }] }],
    [{ network: [{ host: "*.a.example.org", scheme: "https", port: 443, paths: ["/public/**"] }] }],
    [{ network: [{ host: "db.internal", port: 8080, scheme: "http", addresses: ["10.0.0.2"] }] }],
    [{ models: ["local"] }],
    [{ budget: { wall: 600_000, requests: 0, attempts: 1 } }],
  ])("%j is within the policy", (lines) => {
    expect(refusal(lines)).toBeUndefined();
  });

  test.each<[Partial<Brief>, RegExp]>([
    [{ writable: ["**"] }, /writable\[0\]/],
    [{ writable: ["src/**", "docs/**"] }, /writable\[1\]: "docs\/\*\*".*src\/\*\*/],
    [{ writable: ["src"] }, /writable/],
    [{ writable: ["**/*.md"] }, /writable/],
    [{ writable: ["packages/**"] }, /writable/],
    [{ writable: ["packages/**/test/**"] }, /writable/],
    [{ writable: ["{src,docs}/**"] }, /writable/],
    [{ network: [{ host: "registry.npmjs.org" }] }, /network\[0\]/],
    [{ network: [{ host: "registry.npmjs.org", methods: ["GET", "PUT"] }] }, /network/],
    [{ network: [{ host: "registry.npmjs.org", port: 8443, methods: ["GET"] }] }, /network/],
    [{ network: [{ host: "evil.org", methods: ["GET"] }] }, /network/],
    [{ network: [{ host: "example.org", scheme: "https", paths: ["/public/**"] }] }, /network/],
    [{ network: [{ host: "a.example.org", paths: ["/public/**"] }] }, /network/],
    [{ network: [{ host: "a.example.org", scheme: "https" }] }, /network/],
    [{ network: [{ host: "a.example.org", scheme: "https", paths: ["/**"] }] }, /network/],
    [
      { network: [{ host: "a.example.org", scheme: "https", paths: ["/public/**"], addresses: ["10.0.0.1"] }] },
      /network/,
    ],
    [{ network: [{ host: "db.internal", port: 8080, scheme: "http", addresses: ["10.0.0.3"] }] }, /network/],
    [{ network: [{ host: "db.internal", port: 8080, scheme: "http" }] }, /network/],
    [{ models: ["openai"] }, /models\[0\]: openai/],
    [{ models: ["toString"] }, /models/],
    [{ budget: { wall: 600_001 } }, /budget\.wall: 600001.*at most 600000/],
    [{ budget: { attempts: 4 } }, /budget\.attempts/],
  ])("%j is refused", (lines, message) => {
    const error = refusal(lines);
    expect(error?.code).toBe("policy-widened");
    expect(error?.message).toMatch(message);
    expect(error?.next).not.toBe("");
  });

  test("a broken line is the brief's fault, also in a check", () => {
    for (const lines of [
      { writable: ["!(a)"] },
      { network: [{ host: "*" }] },
      { accept: [{ id: "A1", must: "m", checks: [{ absent: "x", in: "a**" }] }] },
    ]) {
      expect(refusal(lines)?.code).toBe("brief-invalid");
    }
  });

  test("the refusal names the brief's own line", () => {
    const text = `title: A title\nintent: i\ninstructions: x\naccept: [{ id: A1, must: m }]\nexecutor: codex\npolicy: ceiling\nwritable:\n  - src/**\n  - docs/**\n`;
    const parsed = parseDocument(text, "brief.yaml", briefSchema, "brief-invalid");
    expect(() => narrowPolicy(policy, parsed)).toThrow(/^brief\.yaml:9:5 writable\[1\]/);
  });
});

const canonicalOf = (method: string, url: string) => {
  const result = canonicalRequest({ method, url });
  if (!result.ok) throw new Error(result.why);
  return result.request;
};
const pattern = fc
  .array(fc.constantFrom("a", "b", "*", "**", "a*", "?", "{a,b}", "[ab]", "ab"), { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join("/"))
  .filter((text) => globProblem(text) === undefined);
const path = fc
  .array(fc.constantFrom("a", "b", "ab", "aa", "c"), { minLength: 1, maxLength: 5 })
  .map((segments) => segments.join("/"));

describe("coverage is sound", () => {
  test("a covered pattern matches nothing that its parents do not", () => {
    let covered = 0;
    fc.assert(
      fc.property(
        pattern,
        fc.array(pattern, { maxLength: 3 }),
        fc.array(path, { minLength: 5, maxLength: 20 }),
        (child, parents, paths) => {
          if (!patternCovered(child, parents)) return;
          covered += 1;
          const inner = pathMatcher([child]);
          const outer = pathMatcher(parents);
          for (const text of paths) if (inner(text)) expect(outer(text), text).toBe(true);
        },
      ),
      { numRuns: 5000 },
    );
    expect(covered).toBeGreaterThan(100);
  });

  const rule = fc.record<NetworkRule>(
    {
      host: fc.constantFrom("a.org", "*.a.org", "b.a.org", "*.b.a.org"),
      port: fc.constantFrom(80, 443),
      scheme: fc.constantFrom("http" as const, "https" as const),
      methods: fc.uniqueArray(fc.constantFrom("GET" as const, "POST" as const), { minLength: 1 }),
      paths: fc.array(fc.constantFrom("/**", "/a/**", "/a/*", "/a/b"), { minLength: 1, maxLength: 2 }),
      addresses: fc.uniqueArray(fc.constantFrom("10.0.0.1", "10.0.0.2"), { minLength: 1 }),
    },
    { requiredKeys: ["host"] },
  );
  const requests = ["a.org", "b.a.org", "c.b.a.org"].flatMap((host) =>
    ["http", "https"].flatMap((scheme) =>
      ["", ":80", ":443"].flatMap((port) =>
        ["/", "/a", "/a/b", "/a/b/c", "/a/..%2fz"].flatMap((target) =>
          ["GET", "POST", "PUT"].map((method) => canonicalOf(method, `${scheme}://${host}${port}${target}`)),
        ),
      ),
    ),
  );

  test("a narrowed policy never allows what its parent denies", () => {
    let narrowed = 0;
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 3 }), fc.array(rule, { maxLength: 2 }), (parents, children) => {
        const parent = { ...policy, network: parents };
        let result: Policy;
        try {
          result = narrowPolicy(parent, brief({ network: children }));
        } catch (error) {
          expect((error as SallyportError).code).toBe("policy-widened");
          expect(children.every((child) => parents.some((other) => ruleCovered(child, other)))).toBe(false);
          return;
        }
        if (children.length > 0) narrowed += 1;
        const inner = compileRules(result.network);
        const outer = compileRules(parents);
        for (const request of requests) {
          if (inner.decide(request).allow) expect(outer.decide(request).allow, JSON.stringify(request)).toBe(true);
        }
        for (const host of ["a.org", "b.a.org", "c.b.a.org"]) {
          for (const port of [80, 443]) {
            if (inner.tunnel(host, port).allow) expect(outer.tunnel(host, port).allow).toBe(true);
          }
        }
      }),
      { numRuns: 2000 },
    );
    expect(narrowed).toBeGreaterThan(20);
  });
});
