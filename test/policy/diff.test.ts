import { describe, expect, test } from "vitest";
import type { Policy } from "../../src/domain/policy.ts";
import { diffPolicies, widens } from "../../src/policy/diff.ts";
import { policyWith } from "./arbitraries.ts";

const base = policyWith([{ host: "registry.npmjs.org", scheme: "https", methods: ["GET"] }]);
const lines = (after: Policy, before = base) =>
  diffPolicies(before, after).map(
    ({ effect, certain, text, example }) =>
      `${effect}${certain ? "" : "?"} ${text}${example ? ` e.g. ${example}` : ""}`,
  );

describe("diff in words", () => {
  test("the same policy, also when its rules are cut differently, is no change", () => {
    expect(lines(structuredClone(base))).toEqual([]);
    const one = policyWith([{ host: "a.org", methods: ["GET", "POST"] }]);
    const two = policyWith([
      { host: "a.org", scheme: "http", methods: ["GET", "POST"] },
      { host: "a.org", scheme: "https", methods: ["POST"] },
      { host: "a.org", scheme: "https", methods: ["GET"] },
    ]);
    expect([lines(one, two), lines(two, one)]).toEqual([[], []]);
  });

  test("two rules with a path pattern each are less than one rule with both: a path may need both to be vouched for", () => {
    const one = policyWith([{ host: "a.org", scheme: "https", methods: ["GET"], paths: ["/a/**", "/b/**"] }]);
    const two = policyWith([
      { host: "a.org", scheme: "https", methods: ["GET"], paths: ["/a/**"] },
      { host: "a.org", scheme: "https", methods: ["GET"], paths: ["/b/**"] },
    ]);
    expect(lines(two, one)).toEqual(["denies? GET https://a.org/a/**, https://a.org/b/**"]);
    expect(lines(one, two)).toEqual(["allows? GET https://a.org/a/**, https://a.org/b/**"]);
  });

  test("network: what is new and what is gone, each with a request that shows it", () => {
    const after = policyWith([
      { host: "registry.npmjs.org", scheme: "https", methods: ["GET", "PUT"] },
      { host: "a.org", tls: "passthrough" },
      { host: "b.org", scheme: "https", paths: ["/feed"], websocket: true },
    ]);
    expect(lines(after)).toEqual([
      "allows PUT https://registry.npmjs.org/** e.g. PUT https://registry.npmjs.org/",
      "allows a tunnel that is not read to a.org:443 e.g. GET https://a.org/",
      "allows any method https://b.org/feed, also as a WebSocket e.g. GET https://b.org/feed",
    ]);
    expect(lines(base, after).map((line) => line.replace(/^denies/, "allows"))).toEqual(lines(after));
  });

  test("models, secrets, files, amounts, tests and the verifier", () => {
    const after: Policy = {
      ...base,
      network: [
        { host: "registry.npmjs.org", scheme: "https", methods: ["GET"], secret: "npm", addresses: ["10.0.0.1"] },
      ],
      models: { m: { base: "https://api.example.org/v1" } },
      secrets: { npm: { from: "env:NPM", header: "authorization" } },
      filesystem: { visible: ["src/**"], writable: ["src/**", "docs/**"], protected: [] },
      budget: { ...base.budget, wall: 300_000, requests: 400 },
      sandbox: { ...base.sandbox, memory: 2 * 1024 ** 3 },
      tests: { run: "npm test", report: "exit", evidence: [] },
      verifier: { harness: "skeptic", intent: true },
    };
    expect(lines(after)).toEqual([
      "allows the secret npm may be carried by GET https://registry.npmjs.org/**",
      "allows the address 10.0.0.1 may be reached by GET https://registry.npmjs.org/**",
      "allows the model route m to https://api.example.org/v1",
      "allows the secret npm is held (from env:NPM)",
      "denies visible: **",
      "allows writable: docs/**",
      "allows? protected no more: .git*",
      "denies budget.wall: 10 m 0 s -> 5 m 0 s",
      "allows budget.requests: 200 -> 400",
      "allows sandbox.memory: 1 GiB -> 2 GiB",
      "changes tests.run: none -> npm test",
      "changes tests.report: none -> exit",
      "changes tests.evidence: none -> []",
      "changes verifier.harness: skeptic-rules -> skeptic",
    ]);
    expect(widens(diffPolicies(base, after))).toBe(true);
    expect(widens(diffPolicies(base, { ...base, network: [], budget: { ...base.budget, requests: 0 } }))).toBe(false);
    const other = { ...after, secrets: { npm: { from: "env:OTHER", header: "x-token" } } };
    expect(lines(other, after)).toEqual([
      "changes `from` of the secret npm: env:NPM -> env:OTHER",
      "changes `header` of the secret npm: authorization -> x-token",
    ]);
  });
});
