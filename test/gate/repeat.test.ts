import { describe, expect, test } from "vitest";
import type { TestRun } from "../../src/domain/test-report.ts";
import { compareRuns, reportFindings } from "../../src/gate/compare-runs.ts";
import { diffLines } from "../../src/gate/diff-lines.ts";
import { unresolved } from "../../src/gate/judge.ts";
import { renamedTests } from "../../src/gate/renamed.ts";
import { isFlakyRed, mergeRuns } from "../../src/gate/repeat.ts";
import { patch, reportOf, runOf } from "./samples.ts";

const merge = (runs: TestRun["tests"][], known: string[] = [], breaks: string[] = []) =>
  mergeRuns(
    runs.map((tests) => runOf(tests)),
    new Set(known),
    breaks,
  );

describe("several runs of one tree", () => {
  test("that agree are as one", () => {
    expect(merge([{ a: "passed" }, { a: "passed" }])).toMatchObject({
      flaky: [],
      run: { green: true, tests: { a: "passed" } },
    });
    expect(merge([{ a: "failed" }, { a: "failed" }])).toMatchObject({ flaky: [], run: { green: false } });
  });

  test("a test that ends in two ways is flaky, and its worst counts", () => {
    const merged = merge([
      { a: "passed", b: "passed" },
      { a: "failed", b: "passed" },
    ]);
    expect(merged).toMatchObject({ flaky: ["a"], run: { green: false, tests: { a: "failed", b: "passed" } } });
  });

  test("one that was not in every run is flaky, and in none", () => {
    expect(
      merge([
        { a: "passed", "now 12:01": "passed" },
        { a: "passed", "now 12:02": "passed" },
      ]),
    ).toMatchObject({
      flaky: ["now 12:01", "now 12:02"],
      run: { green: true, tests: { a: "passed" } },
    });
  });

  test("red by tests that are flaky on the base alone: green only with one whole green run", () => {
    const red = { a: "failed", b: "passed" } as const;
    const green = { a: "passed", b: "passed" } as const;
    expect(merge([red, green], ["a"]).run.green).toBe(true);
    expect(merge([red, red, red, red, red], ["a"]).run.green).toBe(false);
    expect(merge([red, green], []).run.green).toBe(false);
    expect(merge([{ ...red, b: "failed" }, green], ["a"]).run.green).toBe(false);
    expect(isFlakyRed(runOf(red), new Set(["a"]), [])).toBe(true);
    expect(isFlakyRed(runOf(green), new Set(["a"]), [])).toBe(false);
    expect(isFlakyRed(runOf(red, { forged: "x" }), new Set(["a"]), [])).toBe(false);
  });

  test("one that was cut or is not believed stands for all", () => {
    const runs = [runOf({ a: "passed" }), runOf({}, { green: false, forged: "no report" })];
    expect(mergeRuns(runs, new Set(), []).run.forged).toBe("no report");
  });
});

describe("a flaky test proves nothing", () => {
  const base = runOf({ a: "failed", b: "passed", c: "passed" });
  const proposal = runOf({ a: "passed", b: "passed", c: "passed", fresh: "passed" });
  const report = (flaky: string[]) =>
    compareRuns({ base, proposal, proven: proposal, revert: runOf({}), flaky }, [], []);

  test("neither fail-to-pass, nor pass-to-pass, nor new; its steady twins are", () => {
    expect(report(["a", "b", "fresh"])).toMatchObject({
      failToPass: [],
      passToPass: ["c"],
      unproven: [],
      flaky: ["a", "b", "fresh"],
    });
    expect(report([])).toMatchObject({ failToPass: ["a", "fresh"], passToPass: ["b", "c"] });
  });

  test("a verifier's pointer to it does not resolve", () => {
    const of = (flaky: string[]) => unresolved({ test: "works" }, diffLines(patch), reportOf({ flaky }));
    expect(of(["works"])).toMatch(/does not always end the same/);
    expect(of(["other"])).toBeUndefined();
  });
});

describe("breaks that are not so are told, and reject nobody", () => {
  const compare = (breaks: string[], after: TestRun["tests"]) =>
    compareRuns({ base: runOf({ a: "passed" }), proposal: runOf(after), proven: runOf(after) }, breaks, []);
  test.each<[string, string[], TestRun["tests"], RegExp | undefined]>([
    ["one that the base does not have", ["ghost"], { a: "passed" }, /does not have/],
    ["one that still passes", ["a"], { a: "passed" }, /does not break/],
    ["one that is gone, as meant", ["a"], { b: "passed" }, undefined],
  ])("%s", (_, breaks, after, note) => {
    const report = compare(breaks, after);
    expect(reportFindings(report)).toEqual([]);
    if (note) expect(report.notes?.[0]).toMatch(note);
    else expect(report.notes).toBeUndefined();
  });
});

describe("a test that looks renamed", () => {
  const renamed = '-test("adds up", () => equal(sum(1, 2), 3));\n+test("sums", () => equal(sum(1, 2), 3));\n';
  test("in the same suite, with the same code", () => {
    expect(renamedTests(["s > adds up"], ["s > sums"], renamed)).toEqual([{ from: "s > adds up", to: "s > sums" }]);
  });
  test.each<[string, string[], string[], string]>([
    ["not in another suite", ["s > adds up"], ["t > sums"], renamed],
    ["not with other code", ["s > adds up"], ["s > sums"], renamed.replace("+test", "+test.only")],
    ["not without a new one", ["s > adds up"], [], renamed],
  ])("%s", (_, gone, fresh, text) => {
    expect(renamedTests(gone, fresh, text)).toEqual([]);
  });

  test("is a rejection that says so, unless the brief names it", () => {
    const base = runOf({ "adds up": "passed" });
    const proposal = runOf({ sums: "passed" });
    const of = (breaks: string[]) => ({
      ...compareRuns({ base, proposal, proven: proposal }, breaks, []),
      renamed: [{ from: "adds up", to: "sums" }],
    });
    const [finding] = reportFindings(of([]));
    expect(finding?.reason).toBe("test-disappeared");
    expect(finding?.message).toContain('looks renamed to "sums"');
    expect(reportFindings(of(["adds up"]))).toEqual([]);
  });
});

describe("a file or package that does not load", () => {
  test("is the finding itself; the tests in it are not said to have disappeared", () => {
    const base = runOf({ "m/a > TestA": "passed", "m/b > TestB": "passed" });
    const broken = runOf({ "m/a": "failed", "m/b > TestB": "passed" });
    const report = compareRuns({ base, proposal: broken, proven: broken }, [], []);
    expect(report.disappeared).toEqual([]);
    expect(reportFindings(report).map((f) => f.reason)).toEqual(["tests-failed"]);
    const gone = runOf({ "m/b > TestB": "passed" });
    expect(compareRuns({ base, proposal: gone, proven: gone }, [], []).disappeared).toEqual(["m/a > TestA"]);
  });
});
