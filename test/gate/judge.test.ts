import { describe, expect, test } from "vitest";
import type { Evidence, Verdict } from "../../src/domain/verdict.ts";
import { diffLines } from "../../src/gate/diff-lines.ts";
import { judge, unresolved } from "../../src/gate/judge.ts";
import { approval, criteria, patch, reportOf, runOf } from "./samples.ts";

const lines = diffLines(patch);
const green = reportOf({
  checks: [
    { id: "A1.1", criterion: "A1", kind: "run", ok: true, found: [], detail: "" },
    { id: "A1.2", criterion: "A1", kind: "run", ok: false, found: [], detail: "no" },
  ],
  proposal: runOf({ works: "passed", breaks: "failed", rests: "skipped", hollow: "passed" }),
  unproven: ["hollow"],
});
const reasons = (verdict: Verdict) => judge(verdict, criteria, lines, green).findings.map((f) => f.reason);
const [met1, met2] = approval().criteria as [Verdict["criteria"][number], Verdict["criteria"][number]];
const withEvidence = (...evidence: Evidence[]) => approval({ criteria: [{ ...met1, evidence }, met2] });

test("an approval with every criterion met, evidence that resolves and a refutation tried is one", () => {
  expect(judge(approval(), criteria, lines, green)).toEqual({ approved: true, hard: false, findings: [] });
});

describe("everything less is a rejection, each with its reason", () => {
  const cases: [string, Verdict, string[]][] = [
    ["a criterion without an answer", approval({ criteria: [met1] }), ["verdict-incomplete"]],
    ["no answers at all", approval({ criteria: [] }), ["verdict-incomplete", "verdict-incomplete"]],
    ["a criterion answered twice", approval({ criteria: [met1, met2, met2] }), ["verdict-incomplete"]],
    [
      "a criterion that nobody asked",
      approval({ criteria: [met1, met2, { ...met1, id: "Z9" }] }),
      ["verdict-incomplete"],
    ],
    ["an unmet criterion", approval({ criteria: [{ ...met1, status: "unmet" }, met2] }), ["verdict-unmet"]],
    ["an unproven criterion", approval({ criteria: [{ ...met1, status: "unproven" }, met2] }), ["verdict-unproven"]],
    ["met without evidence", withEvidence(), ["verdict-unproven"]],
    ["a file that is not in the diff", withEvidence({ path: "src/other.mjs", line: 2 }), ["verdict-unresolved"]],
    ["a line that is not in the diff", withEvidence({ path: "src/sum.mjs", line: 5 }), ["verdict-unresolved"]],
    ["a test that is not in the report", withEvidence({ test: "dreamt" }), ["verdict-unresolved"]],
    ["a test that failed", withEvidence({ test: "breaks" }), ["verdict-unresolved"]],
    ["a test that was skipped", withEvidence({ test: "rests" }), ["verdict-unresolved"]],
    ["a new test that passes without the change", withEvidence({ test: "hollow" }), ["verdict-unresolved"]],
    ["a check that is not in the report", withEvidence({ check: "A7.1" }), ["verdict-unresolved"]],
    ["a check that failed", withEvidence({ check: "A1.2" }), ["verdict-unresolved"]],
    ["a name that every object has", withEvidence({ test: "constructor" }), ["verdict-unresolved"]],
    [
      "context that was there before, and nothing else",
      withEvidence({ path: "src/sum.mjs", line: 4 }),
      ["verdict-unresolved"],
    ],
    ["context beside a line that was replaced", withEvidence({ path: "src/sum.mjs", line: 1 }), ["verdict-unresolved"]],
    [
      "a removed line that is none",
      withEvidence({ path: "src/sum.mjs", line: 1, side: "old" }),
      ["verdict-unresolved"],
    ],
    ["one bad pointer among good ones", withEvidence({ test: "works" }, { test: "dreamt" }), ["verdict-unresolved"]],
    ["no attempt to refute", approval({ refutations: [] }), ["verdict-without-refutation"]],
    [
      "a refutation that found something",
      approval({ refutations: [{ tried: "zero", found: true, detail: "NaN" }] }),
      ["verdict-unmet"],
    ],
    ["a rejection without a word", approval({ decision: "reject" }), ["verdict-reject"]],
  ];
  test.each(cases)("%s", (_, verdict, expected) => {
    const { approved, hard } = judge(verdict, criteria, lines, green);
    expect([approved, hard]).toEqual([false, false]);
    expect(reasons(verdict)).toEqual(expected);
  });

  test.each<[string, Evidence]>([
    ["a line of the diff's new side", { path: "src/sum.mjs", line: 3 }],
    ["a removed line", { path: "src/sum.mjs", line: 2, side: "old" }],
    ["a test that passed", { test: "works" }],
    ["a check that passed", { check: "A1.1" }],
  ])("and %s resolves", (_, pointer) => {
    expect(unresolved(pointer, lines, green)).toBeUndefined();
    expect(judge(withEvidence(pointer), criteria, lines, green).approved).toBe(true);
  });
});

describe("a rejection", () => {
  const feedback = [{ path: "src/sum.mjs", line: 2, what: "It overflows.", why: "Large numbers." }];

  test("carries the verifier's feedback to its place", () => {
    const { approved, hard, findings } = judge(approval({ decision: "reject", feedback }), criteria, lines, green);
    expect([approved, hard]).toEqual([false, false]);
    expect(findings).toEqual([
      {
        reason: "verdict-reject",
        message: "It overflows. Large numbers.",
        path: "src/sum.mjs",
        line: 2,
        place: "a +",
      },
    ]);
  });

  test("reject-hard is hard, and only that", () => {
    const { approved, hard, findings } = judge(approval({ decision: "reject-hard", feedback }), criteria, lines, green);
    expect([approved, hard]).toEqual([false, true]);
    expect(findings.map((f) => f.reason)).toEqual(["verdict-reject-hard"]);
  });

  test("is within the bounds of the ledger whatever the verifier wrote", () => {
    const long = { what: "x".repeat(1999), why: `${"y".repeat(1999)}` };
    const loud = { path: `\u001b[31m\u202e${"p".repeat(4000)}\n`, line: 1, what: "bidi", why: "control" };
    const many = approval({
      decision: "reject",
      feedback: Array.from({ length: 50 }, () => long).concat(loud as never),
    });
    const { findings } = judge(many, criteria, lines, green);
    for (const finding of findings) {
      expect(finding.message.length).toBeLessThanOrEqual(4000);
      expect(finding.path ?? "").not.toMatch(/[\u001b\u202e]/);
    }
    const half = approval({
      criteria: [{ ...met1, status: "unmet", why: `${"w".repeat(3999 - "A1 (it adds) is unmet: ".length)}😀` }, met2],
    });
    expect(judge(half, criteria, lines, green).findings.every((f) => f.message.isWellFormed())).toBe(true);
  });
});
