import { describe, expect, test } from "vitest";
import type { Proposal } from "../../src/domain/event.ts";
import { finding as findingSchema } from "../../src/domain/rejection.ts";
import { fitFindings } from "../../src/gate/findings.ts";
import { cut, cutTail, printable } from "../../src/gate/printable.ts";
import { mechanicalFindings } from "../../src/gate/rules.ts";
import { pathMatcher, protectedMatcher } from "../../src/policy/paths.ts";
import { digest, oid } from "./samples.ts";

const base = oid("0");
const proposalOf = (paths: string[], change: Partial<Proposal> = {}): Proposal => ({
  attempt: 1,
  commit: oid("c"),
  tree: oid("1"),
  patch: digest("f"),
  patchBytes: 100,
  changes: paths.map((path) => ({ path, kind: "modified" })),
  ignored: 0,
  ...change,
});
const rules = {
  writable: pathMatcher(["src/**"]),
  isProtected: protectedMatcher([".github", "package.json"]),
  writablePatterns: ["src/**"],
  patchLimit: 1000,
  rejectedTrees: new Map([[oid("9"), 2]]),
};
const reasons = (proposal: Proposal) =>
  mechanicalFindings(proposal, base, rules).map((f) => `${f.reason} ${f.path ?? ""}`.trim());

describe("mechanical rules", () => {
  test("a change within all of them has no finding", () => {
    expect(reasons(proposalOf(["src/a.js"]))).toEqual([]);
    expect(reasons(proposalOf(["src/a.js"], { patchBytes: 1000 }))).toEqual([]);
  });

  test.each<[string, Proposal, string[]]>([
    ["nothing changed", proposalOf([]), ["no-change"]],
    ["the base's tree again", proposalOf(["src/a.js"], { tree: base }), ["no-change"]],
    ["outside of what may be written", proposalOf(["src/a.js", "lib/b.js"]), ["not-writable lib/b.js"]],
    ["protected", proposalOf([".github/workflows/ci.yml"]), ["protected .github/workflows/ci.yml"]],
    ["protected and inside of what may be written", proposalOf(["src/package.json"]), ["protected src/package.json"]],
    ["protected in another case", proposalOf([".GitHub/x"]), ["protected .GitHub/x"]],
    ["one byte too large", proposalOf(["src/a.js"], { patchBytes: 1001 }), ["patch-too-large"]],
    ["a tree that was rejected before", proposalOf(["src/a.js"], { tree: oid("9") }), ["repeated-tree"]],
  ])("%s", (_, proposal, expected) => {
    expect(reasons(proposal)).toEqual(expected);
  });

  test("deleting a protected file is the same as changing it", () => {
    const proposal = proposalOf([], { changes: [{ path: "package.json", kind: "deleted" }] });
    expect(reasons(proposal)).toEqual(["protected package.json"]);
  });

  test("the findings fit the ledger, however many paths and patterns there are", () => {
    const many = { ...rules, writablePatterns: Array.from({ length: 256 }, (_, i) => `${"d".repeat(500)}${i}/**`) };
    const findings = fitFindings(
      mechanicalFindings(proposalOf(Array.from({ length: 500 }, (_, i) => `x${i}`)), base, many),
    );
    expect(findings).toHaveLength(100);
    for (const finding of findings) expect(findingSchema.safeParse(finding).success).toBe(true);
  });
});

describe("text of others", () => {
  test("control and bidi characters are shown; lines, tabs and letters stay", () => {
    expect(printable("a\u001b[31mred\u001b[0m\u0007\u202e\u200b\0\tümlaut 日本 😀\n")).toBe(
      "ared\\u{7}\\u{202e}\\u{200b}\\u{0}\tümlaut 日本 😀\n",
    );
    expect(printable(Buffer.from([0x61, 0xff, 0x0d]))).toBe("a\ufffd\\u{d}");
    expect(printable("\ud800")).toBe("\ufffd");
  });

  test("a cut never leaves half a character", () => {
    for (const text of [cut("😀😀", 3), cutTail("😀😀", 3)]) expect(text.isWellFormed()).toBe(true);
    expect([cut("abc", 2), cutTail("abc", 2), cut("ab", 9)]).toEqual(["ab", "bc", "ab"]);
  });
});
