import { expect, test } from "vitest";
import type { ModelRoute } from "../../src/domain/policy.ts";
import { diffPolicies, widens } from "../../src/policy/diff.ts";
import { policyOf } from "../gate/samples.ts";

const policy = (route: Partial<ModelRoute>, budget: object = {}) => {
  const start = policyOf();
  return { ...start, models: { m: { base: "https://a.org", ...route } }, budget: { ...start.budget, ...budget } };
};
const table = (input: number): NonNullable<ModelRoute["table"]> => ({
  version: 1,
  date: "2026-01-01",
  models: [{ model: "m", input, output: 1 }],
});

test.each<[Partial<ModelRoute>, Partial<ModelRoute>, string]>([
  [{}, { allow: ["server-tools"] }, "server-tools on the model route m"],
  [{ models: ["a"] }, { models: ["a", "b*"] }, "the models b* on the model route m"],
  [{ models: ["a"] }, {}, "any model on the model route m"],
  [{ output: 10 }, { output: 20 }, "the output of the model route m: 10 -> 20"],
  [{ output: 10 }, {}, "the output of the model route m: 10 -> as asked"],
])("%j to %j is more, and the other way less", (less, more, text) => {
  const up = diffPolicies(policy(less), policy(more));
  expect(up).toMatchObject([{ effect: "allows", section: "models", text }]);
  expect(widens(up)).toBe(true);
  const down = diffPolicies(policy(more), policy(less));
  expect([down.length, widens(down)]).toEqual([1, false]);
});

test.each<[Partial<ModelRoute>, Partial<ModelRoute>]>([
  [{}, { protocol: "gemini" }],
  [{ prices: "a" }, { prices: "b" }],
  [
    { prices: "a", table: table(1) },
    { prices: "a", table: table(2) },
  ],
  [{}, { quota: [{ requests: 1, window: 1 }] }],
])("%j to %j may be more", (from, to) => {
  expect(widens(diffPolicies(policy(from), policy(to)))).toBe(true);
});

test("a glob within another is no more", () => {
  expect(widens(diffPolicies(policy({ models: ["a*"] }), policy({ models: ["ab", "abc*"] })))).toBe(false);
  expect(diffPolicies(policy({ models: ["a*"] }), policy({ models: ["a*"] }))).toEqual([]);
});

test.each(["tokens", "usd"])("a cap of %s that goes is more, one that comes is less", (key) => {
  expect(diffPolicies(policy({}, { [key]: 5 }), policy({}))).toMatchObject([{ effect: "allows", section: "budget" }]);
  expect(diffPolicies(policy({}), policy({}, { [key]: 5 }))).toMatchObject([{ effect: "denies", section: "budget" }]);
  expect(diffPolicies(policy({}, { [key]: 5 }), policy({}, { [key]: 6 }))).toMatchObject([{ effect: "allows" }]);
});
