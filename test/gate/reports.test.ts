import { describe, expect, test } from "vitest";
import { parseReport, type ReportForm } from "../../src/gate/reports/form.ts";
import { readReport } from "../../src/gate/reports/read-report.ts";

const mark = "t00";
const go = (...events: (object | string)[]) =>
  parseReport({ kind: "go", mark }, events.map((e) => (typeof e === "string" ? e : JSON.stringify(e))).join("\n"));
const of = (Package: string, Action: string, Test?: string, Output?: string) => ({
  Time: "2026-01-01T00:00:00Z",
  Action,
  Package,
  ...(Test ? { Test } : {}),
  ...(Output ? { Output } : {}),
});

describe("go test -json", () => {
  test("passes, failures, skips and subtests, by package; what a planted test said", () => {
    const report = go(
      of("m/a", "run", "TestA"),
      of("m/a", "pass", "TestA"),
      of("m/a", "fail", "TestB/half"),
      of("m/a", "fail", "TestB"),
      of("m/a", "skip", "TestC"),
      of("m/a", "output", "Test_t00a_fails", "meant to fail: 6\n"),
      of("m/a", "fail", "Test_t00a_fails"),
      of("m/a", "fail"),
    );
    expect(report?.tests).toEqual({
      "m/a > TestA": "passed",
      "m/a > TestB/half": "failed",
      "m/a > TestB": "failed",
      "m/a > TestC": "skipped",
      "m/a > Test_t00a_fails": "failed",
    });
    expect(report?.said).toEqual({ "m/a > Test_t00a_fails": "meant to fail: 6\n" });
  });

  test("a package that did not build, and one whose process ended early, are failing tests of their own names", () => {
    expect(go("FAIL\tm/a [build failed]", of("m/b", "pass", "TestB"), of("m/b", "pass"))?.tests).toEqual({
      "m/a": "failed",
      "m/b > TestB": "passed",
    });
    expect(go(of("m/a", "fail"))?.tests).toEqual({ "m/a": "failed" });
  });

  test("a test that began and has no end failed", () => {
    expect(go(of("m/a", "run", "TestA"), of("m/a", "pass"))?.tests).toEqual({ "m/a > TestA": "failed" });
  });

  test.each<[string, string]>([
    ["nothing", ""],
    ["prose", "ok  m/a 0.1s"],
    ["half an event", '{"Action":"pass","Package":"m"'],
    ["an event of other types", '{"Action":["pass"]}'],
  ])("not a report: %s", (_, text) => {
    expect(go(text)).toBeUndefined();
  });
});

describe("jest --json", () => {
  const assertion = (title: string, status: string, more: object = {}) => ({
    ancestorTitles: [],
    title,
    status,
    ...more,
  });
  const jest = (value: unknown) => parseReport({ kind: "jest", mark }, JSON.stringify(value));
  const file = (assertionResults: object[], status = "passed") => ({
    name: "/workspace/test/a.test.js",
    status,
    assertionResults,
  });

  test("ids are file, suites and name; todo and pending are skipped; what a planted test said", () => {
    const report = jest({
      numTotalTests: 4,
      testResults: [
        file([
          assertion("adds", "passed", { ancestorTitles: ["money"] }),
          assertion("rests", "pending"),
          assertion("later", "todo"),
          assertion("t00a fails", "failed", { failureMessages: ["Error: meant to fail: 6"] }),
        ]),
      ],
    });
    expect(report?.tests).toEqual({
      "test/a.test.js > money > adds": "passed",
      "test/a.test.js > rests": "skipped",
      "test/a.test.js > later": "skipped",
      "test/a.test.js > t00a fails": "failed",
    });
    expect(report?.said["test/a.test.js > t00a fails"]).toContain("6");
  });

  test("a file that could not be run is a failing test", () => {
    expect(jest({ numTotalTests: 0, testResults: [file([], "failed")] })?.tests).toEqual({
      "test/a.test.js": "failed",
    });
  });

  test("its own count must agree", () => {
    expect(jest({ numTotalTests: 2, testResults: [file([assertion("a", "passed")])] })).toBeUndefined();
    expect(jest({ numTotalTests: 1, testResults: [file([assertion("a", "passed")])] })).toBeDefined();
  });

  test.each<[string, unknown]>([
    ["a list", []],
    ["another status", { numTotalTests: 1, testResults: [file([assertion("a", "fine")])] }],
    ["no files", { numTotalTests: 0 }],
  ])("not a report: %s", (_, value) => {
    expect(jest(value)).toBeUndefined();
  });
});

describe("what cargo test prints", () => {
  const cargo = (text: string) => parseReport({ kind: "cargo", mark }, text);
  const whole = `   Compiling money v0.1.0 (/workspace)
     Running unittests src/lib.rs (target/debug/deps/money-1)

running 2 tests
test tests::rounds ... ok
test tests::waits ... ignored

test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/t00a.rs (target/debug/deps/t00a-2)

running 2 tests
test t00a_holds ... ok
test t00a_fails ... FAILED

failures:

---- t00a_fails stdout ----
thread 't00a_fails' panicked at 'meant to fail: 6', tests/t00a.rs:7:5

failures:
    t00a_fails

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
`;

  test("targets, ignored tests, and what a planted test said", () => {
    const report = cargo(whole);
    expect(report?.tests).toEqual({
      "src/lib.rs > tests::rounds": "passed",
      "src/lib.rs > tests::waits": "skipped",
      "tests/t00a.rs > t00a_holds": "passed",
      "tests/t00a.rs > t00a_fails": "failed",
    });
    expect(report?.said["tests/t00a.rs > t00a_fails"]).toContain("meant to fail: 6");
  });

  test("a summary that does not agree with its lines is no report", () => {
    expect(cargo(whole.replace("1 passed; 0 failed; 1 ignored", "2 passed; 0 failed; 1 ignored"))).toBeUndefined();
    expect(
      cargo(whole.replace("test tests::rounds ... ok\n", "test tests::rounds ... ok\ntest x ... ok\n")),
    ).toBeUndefined();
  });

  test("a target without a summary failed: its process ended early", () => {
    const cut = whole
      .slice(0, whole.indexOf("test result: ok"))
      .concat(whole.slice(whole.indexOf("     Running tests/")));
    expect(cargo(cut)?.tests["src/lib.rs"]).toBe("failed");
  });

  test("what does not build is one failing test; prose is no report", () => {
    expect(cargo("error[E0425]: cannot find value `x`\nerror: could not compile `money`\n")?.tests).toEqual({
      "(build)": "failed",
    });
    expect(cargo("all is well")).toBeUndefined();
  });
});

describe("JUnit of other runners", () => {
  const classes: ReportForm = { kind: "junit", mark, names: { suites: false, classnames: true } };
  test("pytest: the class name is the place", () => {
    const xml = `<?xml version="1.0"?><testsuites><testsuite name="pytest"><testcase classname="tests.test_a.TestB" name="test_c[1]"/>
      <testcase classname="" name="tests.test_broken"><error message="collection failure">x</error></testcase></testsuite></testsuites>`;
    expect(parseReport(classes, xml)?.tests).toEqual({
      "tests.test_a.TestB > test_c[1]": "passed",
      "tests.test_broken": "failed",
    });
  });

  test("of an unknown runner: suites and class names, each where it says something new", () => {
    const xml = '<testsuite name="s"><testcase classname="s" name="a"/><testcase classname="C" name="b"/></testsuite>';
    const any: ReportForm = { kind: "junit", mark, names: { suites: true, classnames: true } };
    expect(parseReport(any, xml)?.tests).toEqual({ "s > a": "passed", "s > C > b": "passed" });
  });
});

describe("a large report", () => {
  test("is parsed in a thread, to the same result", async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => JSON.stringify(of("m", "pass", `Test${i}`))).join("\n");
    const form: ReportForm = { kind: "go", mark };
    expect(lines.length).toBeGreaterThan(128 * 1024);
    expect(await readReport(form, lines)).toEqual(parseReport(form, lines));
    expect(await readReport(form, `${lines}\n{`)).toBeUndefined();
  });

  test("with more tests than any project has is none", () => {
    const lines = Array.from({ length: 50_001 }, (_, i) => JSON.stringify(of("m", "pass", `T${i}`))).join("\n");
    expect(parseReport({ kind: "go", mark }, lines)).toBeUndefined();
  });
});
