import { describe, expect, test } from "vitest";
import type { Finding } from "../../src/domain/rejection.ts";
import { verdict as schema } from "../../src/domain/verdict.ts";
import { mergedFindings, panelDecides, wholeVerdict } from "../../src/gate/panel.ts";
import { approval, criteria } from "./samples.ts";

test.each([
  [2, 2, 3, 2, "approved"],
  [1, 2, 3, 2, undefined],
  [0, 2, 3, 2, "rejected"],
  [1, 1, 2, 1, "approved"],
  [2, 2, 3, 3, undefined],
  [2, 3, 3, 3, "rejected"],
] as const)("%d approvals of %d asked, of %d in all, where %d are needed: %s", (approvals, asked, of, needed, is) => {
  expect(panelDecides(approvals, asked, of, needed)).toBe(is);
});

test("the whole is a verdict with the evidence and the attempts of all who approve", () => {
  const [met1, met2] = approval().criteria;
  const other = approval({
    criteria: [{ ...met1, evidence: [{ check: "A1.1" }], why: "the check passes" }, met2] as never,
    refutations: [{ tried: "zero", found: false, detail: "" }],
  });
  const whole = wholeVerdict([approval(), other], criteria);
  expect(schema.parse(whole)).toEqual(whole);
  expect(whole.criteria[0]).toEqual({
    id: "A1",
    status: "met",
    evidence: [{ path: "src/sum.mjs", line: 2 }, { check: "A1.1" }],
    why: "line 2 adds\nthe check passes",
  });
  expect(whole.refutations.map((one) => one.tried)).toEqual(["negative numbers", "zero"]);
});

describe("findings of several verifiers", () => {
  const at = (message: string, more: Partial<Finding> = {}): Finding => ({
    reason: "verdict-reject",
    message,
    path: "a.js",
    line: 3,
    place: "a + b",
    ...more,
  });

  test("are one where they say the same of one place, with who said it; other words stay apart", () => {
    expect(
      mergedFindings([
        { harness: "one", findings: [at("It overflows."), at("It loses cents.", { line: 9, place: "c" })] },
        {
          harness: "two",
          findings: [at("Large numbers.", { line: 4 }), at("It loses cents.", { line: 9, place: "c" })],
        },
      ]),
    ).toEqual([
      { ...at("It overflows."), by: ["one"] },
      { ...at("It loses cents.", { line: 9, place: "c" }), by: ["one", "two"] },
      { ...at("Large numbers.", { line: 4 }), by: ["two"] },
    ]);
  });

  test("about the whole change are one only where they say the same", () => {
    const whole = (message: string): Finding => ({ reason: "verdict-reject", message });
    const merged = mergedFindings([
      { harness: "one", findings: [whole("a"), whole("b")] },
      { harness: "two", findings: [whole("b")] },
    ]);
    expect(merged.map((one) => [one.message, one.by])).toEqual([
      ["a", ["one"]],
      ["b", ["one", "two"]],
    ]);
  });
});
