/** The lint of a plan: each rule with what it lets pass. */
import { describe, expect, it } from "vitest";
import type { Coupling, PlanFacts } from "../../src/delegation/plan-facts.ts";
import { lintPlan, type PlanScopes } from "../../src/delegation/plan-lint.ts";
import { isUncheckable } from "../../src/delegation/vague.ts";
import { plan as planSchema } from "../../src/domain/plan.ts";

interface Made {
  after?: string[];
  writable?: string[];
  title?: string;
  must?: string;
  executor?: string;
  budget?: object;
}

const planOf = (briefs: Record<string, Made>, more: object = {}) =>
  planSchema.parse({
    title: "All of it",
    intent: "why",
    briefs: Object.entries(briefs).map(([id, { must, ...made }]) => ({
      id,
      title: `Work of ${id}`,
      intent: "why",
      instructions: "how",
      accept: [{ id: "A1", must: must ?? "exit code 0" }],
      executor: "scripted",
      policy: "p",
      writable: [`src/${id}.js`],
      ...made,
    })),
    ...more,
  });

const scopesOf = (plan: ReturnType<typeof planOf>): PlanScopes =>
  new Map(plan.briefs.map((b) => [b.id, { writable: b.writable ?? [], wall: 60_000, requests: 10 }]));

const lint = (briefs: Record<string, Made>, facts: Partial<PlanFacts> = {}, more: object = {}, strict = false) => {
  const plan = planOf(briefs, more);
  return lintPlan(plan, scopesOf(plan), { paths: [], couplings: [], ...facts }, { strict });
};
const rules = (found: ReturnType<typeof lint>) =>
  found.map((one) => `${one.severity} ${one.rule} ${one.briefs.join("+")}`);
const imports = (a: string, b: string): Coupling => ({ a, b, why: { is: "imports" } });

describe("the lint of a plan", () => {
  it("lets a plan of separate parts pass without a word", () => {
    const facts = { paths: ["src/B1.js", "src/B2.js"], couplings: [imports("src/B1.js", "src/other.js")] };
    expect(lint({ B1: {}, B2: {} }, facts)).toEqual([]);
  });

  it("finds an unknown brief, a circle and a title that is there twice, each at its place", () => {
    const [unknown] = lint({ B1: {}, B2: { after: ["B9"] } });
    expect(unknown).toMatchObject({ rule: "unknown-after", severity: "error", path: ["briefs", 1, "after", 0] });
    const circle = lint({ B1: { after: ["B3"] }, B2: {}, B3: { after: ["B1"] }, B4: { after: ["B1"] } });
    expect(rules(circle)).toEqual(["error cycle B1+B3"]);
    expect(rules(lint({ B1: { after: ["B1"] }, B2: {} }))).toEqual(["error cycle B1"]);
    expect(rules(lint({ B1: { title: "Mend it" }, B2: { title: "mend  IT" } }))).toEqual([
      "error duplicate-title B1+B2",
    ]);
  });

  it("refuses overlap on paths that are there and on those that are not, unless one comes after the other", () => {
    const both = { B1: { writable: ["src/**"] }, B2: { writable: ["src/a.js", "docs/x.md"] } };
    const [found] = lint(both, { paths: ["src/a.js", "src/b.js"] });
    expect(found).toMatchObject({
      rule: "overlap",
      severity: "error",
      briefs: ["B1", "B2"],
      path: ["briefs", 1, "writable"],
    });
    expect(found?.message).toContain("src/a.js");
    expect(rules(lint(both)).at(0)).toBe("error overlap B1+B2");
    const ordered = lint({ ...both, B2: { ...both.B2, after: ["B1"] } }, { paths: ["src/a.js"] });
    expect(rules(ordered)).toEqual(["warning over-split B1+B2"]);
    // Through a third one it is ordered too.
    const chain = lint({
      B1: { writable: ["src/a.js"] },
      B2: { after: ["B1"] },
      B3: { writable: ["src/a.js"], after: ["B2"] },
    });
    expect(rules(chain).filter((rule) => rule.startsWith("error"))).toEqual([]);
  });

  it("warns where files that import each other or change together are split, and says which", () => {
    const facts = {
      paths: ["src/B1.js", "src/B2.js", "src/B3.js"],
      couplings: [
        imports("src/B2.js", "src/B1.js"),
        { a: "src/B1.js", b: "src/B3.js", why: { is: "together" as const, commits: 4, of: 5 } },
      ],
    };
    const found = lint({ B1: {}, B2: {}, B3: {} }, facts);
    expect(rules(found)).toEqual(["warning coupling B1+B2", "warning coupling B1+B3", "warning over-split B1+B2+B3"]);
    expect(found[0]?.message).toContain("src/B2.js imports src/B1.js");
    expect(found[1]?.message).toContain("changed together in 4 of 5 commits");
    expect(found[2]?.message).toContain("3 briefs for 1 separable part");
    expect(rules(lint({ B1: {}, B2: {}, B3: {} }, facts, {}, true)).every((rule) => rule.startsWith("error"))).toBe(
      true,
    );
  });

  it("takes another executor as a reason for two briefs on one part", () => {
    const facts = { paths: ["src/a.js"] };
    const pair = (executor: string) =>
      lint({ B1: { writable: ["src/a.js"] }, B2: { writable: ["src/a.js"], after: ["B1"], executor } }, facts);
    expect(rules(pair("scripted"))).toEqual(["warning over-split B1+B2"]);
    expect(pair("pi")).toEqual([]);
  });

  it("says that one brief is no plan", () => {
    expect(rules(lint({ B1: {} }))).toEqual(["warning single B1"]);
  });

  it("refuses briefs whose worst cases do not fit the plan's budget", () => {
    const [found] = lint({ B1: {}, B2: {} }, {}, { budget: { wall: "90s", requests: 20 } });
    expect(found).toMatchObject({ rule: "over-budget", severity: "error", path: ["budget", "wall"] });
    expect(lint({ B1: {}, B2: {} }, {}, { budget: { wall: "2m", requests: 20 } })).toEqual([]);
  });

  it.each([
    ["the code is clean and readable", true],
    ["it works properly", true],
    ["quality is improved", true],
    ["it works for 0.125", false],
    ["`roundMoney` works", false],
    ["no caller rounds on its own", false],
    ["src/money.js is clean", false],
    ["the old flag is gone", false],
  ])("%s: nobody could tell: %s", (must, expected) => {
    expect(isUncheckable({ id: "A1", must, checks: [] })).toBe(expected);
    expect(rules(lint({ B1: { must }, B2: {} }))).toEqual(expected ? ["warning uncheckable B1"] : []);
    expect(isUncheckable({ id: "A1", must, checks: [{ test: "a test" }] })).toBe(false);
  });
});

describe("the form of a plan", () => {
  const refused = (briefs: Record<string, Made>, more: object = {}) => {
    try {
      planOf(briefs, more);
      return [];
    } catch (error) {
      return (error as { issues: { message: string }[] }).issues.map(({ message }) => message);
    }
  };
  it("has at most fifty criteria in all, and ids that stay unique together", () => {
    const accept = (count: number) => Array.from({ length: count }, (_, n) => ({ id: `A${n}`, must: "exit code 0" }));
    expect(refused({ B1: {}, B2: {} }, { accept: accept(48) })).toEqual([]);
    expect(refused({ B1: {}, B2: {} }, { accept: accept(49) }).join()).toContain("more than 50");
    expect(refused({ "B1-A1": {} }).join()).toContain("expected an id such as B1");
    expect(refused({}).length).toBeGreaterThan(0);
  });
});
