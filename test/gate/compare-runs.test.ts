import { beforeAll, describe, expect, test } from "vitest";
import type { TestCommands } from "../../src/domain/policy.ts";
import type { TestRun } from "../../src/domain/test-report.ts";
import { believe } from "../../src/gate/believe.ts";
import { compareRuns, reportFindings } from "../../src/gate/compare-runs.ts";
import { type Plant, plantedTests, plantFolders, withoutPlant } from "../../src/gate/plant.ts";
import { oid, reportOf, runOf } from "./samples.ts";

type Tests = TestRun["tests"];
interface Made {
  base?: Tests;
  proposal?: Tests;
  proven?: Tests;
  revert?: TestRun;
  breaks?: string[];
}
const compare = ({ base = { a: "passed" }, proposal = base, proven = proposal, revert, breaks = [] }: Made) =>
  compareRuns(
    {
      base: runOf(base),
      proposal: runOf(proposal),
      proven: runOf(proven, { tree: oid("b") }),
      ...(revert ? { revert } : {}),
    },
    breaks,
    [],
  );
const reasons = (made: Made) => reportFindings(compare(made)).map((f) => `${f.reason} ${f.test ?? ""}`.trim());

describe("what a change did to the tests", () => {
  test("nothing: pass to pass, and no finding", () => {
    expect(compare({}).passToPass).toEqual(["a"]);
    expect(reasons({})).toEqual([]);
  });

  test("a failing test of the base that passes now is fail to pass", () => {
    expect(compare({ base: { a: "failed" }, proposal: { a: "passed" } }).failToPass).toEqual(["a"]);
    expect(reasons({ base: { a: "failed" }, proposal: { a: "passed" } })).toEqual([]);
  });

  test("a test that is gone has disappeared, also one named like a member of every object", () => {
    expect(reasons({ base: { a: "passed", b: "passed" }, proposal: { a: "passed" } })).toEqual(["test-disappeared b"]);
    expect(reasons({ base: Object.fromEntries([["toString", "passed"]]), proposal: { x: "passed" } })).toContain(
      "test-disappeared toString",
    );
    expect(reasons({ base: { a: "passed", b: "passed" }, proposal: { a: "passed" }, breaks: ["b"] })).toEqual([]);
  });

  test("a test that runs as proposed, but no more with the base's own files, has disappeared", () => {
    // Code that ends its process while the base's tests load, and tests of the proposal that do not load it.
    expect(reasons({ base: { a: "passed" }, proposal: { a: "passed" }, proven: {} })).toEqual(["test-disappeared a"]);
    expect(reasons({ base: { a: "passed" }, proposal: { a: "passed" }, proven: { a: "passed" } })).toEqual([]);
  });

  test("a test that is skipped now, in either run, and one that comes skipped", () => {
    expect(reasons({ proposal: { a: "skipped" } })).toEqual(["test-newly-skipped a"]);
    expect(reasons({ proven: { a: "skipped" } })).toEqual(["test-newly-skipped a"]);
    expect(reasons({ proposal: { a: "passed", b: "skipped" } })).toEqual(["test-newly-skipped b"]);
    expect(reasons({ base: { a: "skipped" } })).toEqual([]);
  });

  test("a broken test is not green, unless the brief names it", () => {
    expect(compare({ proposal: { a: "failed" } }).broken).toEqual(["a"]);
    expect(reasons({ proposal: { a: "failed" } })[0]).toBe("tests-failed");
    expect(compare({ proposal: { a: "failed" }, breaks: ["a"] }).broken).toEqual([]);
  });

  test("a red base is no excuse, and the finding says that it was red before", () => {
    const report = compare({ base: { a: "failed", b: "passed" }, proposal: { a: "failed", b: "passed" } });
    const [finding] = reportFindings(report);
    expect(finding?.reason).toBe("tests-failed");
    expect(finding?.message).toContain("a (fails on the base already)");
  });
});

describe("a new test counts only if it fails without the change", () => {
  const proposal: Tests = { a: "passed", fresh: "passed" };
  test.each<[string, TestRun | undefined, string]>([
    ["fails without it", runOf({ a: "passed", fresh: "failed" }), "failToPass"],
    ["does not even load without it", runOf({ a: "passed" }), "failToPass"],
    ["passes without it", runOf({ a: "passed", fresh: "passed" }), "unproven"],
    ["was not run without it", undefined, "unproven"],
    ["was in a run that nobody believes", runOf({}, { forged: "no report" }), "unproven"],
    ["was in a run that the host cut", runOf({}, { ended: "timeout" }), "unproven"],
  ])("one that %s", (_, revert, where) => {
    const report = compare({ proposal, ...(revert ? { revert } : {}) });
    expect({ failToPass: report.failToPass, unproven: report.unproven }).toEqual({
      failToPass: [],
      unproven: [],
      [where]: ["fresh"],
    });
  });
});

describe("what the executor is told", () => {
  test("a run that is not believed, with the reason", () => {
    const findings = reportFindings(
      reportOf({ proposal: runOf({}, { green: false, forged: "it left no report", tail: "boom" }) }),
    );
    expect(findings.map((f) => f.reason)).toEqual(["tests-forged"]);
    expect(findings[0]?.message).toContain("it left no report");
  });

  test("a run that the host cut is failed, not forged", () => {
    const [finding] = reportFindings(reportOf({ proposal: runOf({}, { green: false, ended: "timeout", exit: null }) }));
    expect(finding).toMatchObject({
      reason: "tests-failed",
      message: expect.stringContaining("the host ended them (timeout)"),
    });
  });

  test("one run under two names is said once", () => {
    const red = runOf({ a: "failed" }, { tree: oid("c") });
    expect(reportFindings(reportOf({ proposal: red, proven: red }))).toHaveLength(1);
  });

  test("a message is whole characters, and within the ledger's bounds", () => {
    const tail = `${"😀".repeat(5000)}x`;
    const tests = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [`${"😀".repeat(495)} ${i}`, "failed" as const]),
    );
    const findings = reportFindings(compare({ base: tests, proposal: tests }));
    const gone = reportFindings(compare({ base: tests, proposal: { a: "passed" } }));
    const cut = reportFindings(reportOf({ proposal: runOf(tests, { tail }) }));
    for (const { message, test: id } of [...findings, ...gone, ...cut]) {
      expect(message.isWellFormed() && message.length <= 4000).toBe(true);
      expect((id ?? "").length).toBeLessThanOrEqual(1000);
    }
  });
});

describe("whether a run is believed", () => {
  const commands = { run: "t", report: "junit" as const, runner: "node-test" as const, evidence: [] };
  const nothing = { paths: [], read: async () => "" };
  const plantFor = (of: TestCommands, folders = ["test"]) => plantedTests(of, "t00", folders, nothing);
  let plant: Plant;
  beforeAll(async () => {
    plant = (await plantFor(commands)) as Plant;
  });
  const planted: Tests = { "t00a holds": "passed", "t00a fails": "failed" };
  const saying = () => ({ "t00a fails": `Error: meant to fail: ${plant.files[0]?.says}` });
  const judged = (tests: Tests, exit: number | null = 1, said: Record<string, string> = saying()) => {
    const { live: _, ...rest } = believe(commands, { ended: "exit", exit, report: { tests, said }, plant }, ["old"]);
    return rest;
  };

  test("with the planted tests as they must be, and the exit code that follows from them", () => {
    expect(judged({ ...planted, a: "passed" })).toEqual({ tests: { a: "passed" }, green: true });
    expect(judged({ ...planted, a: "passed", old: "failed" }).green).toBe(true);
    expect(judged({ ...planted, a: "failed" }).green).toBe(false);
  });

  test.each<[string, Tests, number, RegExp]>([
    ["written ahead: none of them", { a: "passed" }, 1, /lacks the tests that the host planted/],
    ["all made to pass", { ...planted, "t00a fails": "passed" }, 1, /must fail did not/],
    ["all made to fail", { ...planted, "t00a holds": "failed" }, 1, /must pass did not/],
    ["one of them left out", { "t00a fails": "failed" }, 1, /must pass did not/],
    ["skipped", { ...planted, "t00a fails": "skipped" }, 1, /must fail did not/],
    ["exit 0 with a test that must fail", planted, 0, /ended with 0/],
  ])("not believed: %s", (_, tests, exit, why) => {
    const { green, forged } = judged(tests, exit);
    expect(green).toBe(false);
    expect(forged).toMatch(why);
  });

  test.each<[string, Record<string, string>]>([
    ["nothing", {}],
    ["another number", { "t00a fails": "Error: meant to fail: 12" }],
    ["the right one for another test", { "t00b fails": "x" }],
  ])("not believed: the test that must fail says %s", (_, said) => {
    expect(judged({ ...planted, a: "passed" }, 1, said).forged).toMatch(/did not say what it must/);
  });

  test("no report to read is not believed, with the reason and the exit code", () => {
    const run = { ended: "exit" as const, exit: 7, report: { why: "it left no report" }, plant };
    expect(believe(commands, run, [])).toMatchObject({
      tests: {},
      green: false,
      forged: "it left no report (exit code 7)",
    });
  });

  test("cut by the host: red, and no forgery", () => {
    const run = { ended: "timeout" as const, exit: null, report: { why: "it left no report" }, plant };
    const found = believe(commands, run, []);
    expect(found).toMatchObject({ tests: {}, green: false });
    expect(found.forged).toBeUndefined();
  });

  test("without planted tests, report and exit code must agree", async () => {
    const plain = { run: "t", report: "junit" as const, runner: "none" as const, evidence: [] };
    expect(await plantFor(plain)).toBeUndefined();
    const of = (tests: Tests, exit: number) =>
      believe(plain, { ended: "exit", exit, report: { tests, said: {} }, plant: undefined }, ["old"]);
    expect(of({ a: "passed" }, 0)).toMatchObject({ tests: { a: "passed" }, green: true });
    expect(of({ a: "passed", old: "failed" }, 1).green).toBe(true);
    expect(of({ a: "failed" }, 1)).toMatchObject({ tests: { a: "failed" }, green: false });
    expect(of({ a: "failed" }, 0).forged).toMatch(/ended with 0 although/);
    expect(of({ a: "passed" }, 1).forged).toMatch(/shows no failing test/);
  });

  test("where the policy reads the exit code alone, that is all", () => {
    const exit = { run: "t", report: "exit" as const, evidence: [] };
    const of = (code: number) =>
      believe(exit, { ended: "exit", exit: code, report: { why: "" }, plant: undefined }, []).green;
    expect([of(0), of(1), of(137)]).toEqual([true, false, false]);
  });

  test("the planted tests are not among the results, and their folders are told", () => {
    const report = { tests: { ...planted, a: "passed" as const }, said: saying() };
    expect(withoutPlant(report, 1, plant)).toEqual({ tests: { a: "passed" }, live: ["test"] });
  });

  test("in several folders: each must run, but where it is only tried", async () => {
    const two = (await plantFor(commands, ["test", "spec/unit"])) as Plant;
    expect(two.files.map((file) => file.path)).toEqual(["test/t00a.test.mjs", "spec/unit/t00b.test.mjs"]);
    const said = { "t00a fails": two.files[0]?.says ?? "" };
    const report = { tests: { ...planted, a: "passed" as const }, said };
    expect(withoutPlant(report, 1, two).forged).toMatch(/lacks the tests/);
    expect(withoutPlant(report, 1, two, new Set(["spec/unit"]))).toEqual({ tests: { a: "passed" }, live: ["test"] });
  });

  test("the folders are the policy's, then those of the base's tests; data of tests is none", () => {
    const paths = [
      "src/a.mjs",
      "src/a.test.mjs",
      "lib/b.test.mjs",
      "lib/c.spec.ts",
      "test/fixtures/x.test.mjs",
      "t.mjs",
    ];
    expect(plantFolders(commands, paths)).toEqual(["test", "lib", "src"]);
    expect(plantFolders({ ...commands, plant: "spec/unit/" }, [])).toEqual(["spec/unit"]);
    expect(plantFolders({ ...commands, runner: "none" }, paths)).toEqual([]);
  });
});
