import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canonicalJson } from "../../src/domain/canonical.ts";
import { parseJunit as parse } from "../../src/gate/reports/junit.ts";
import { readReport } from "../../src/gate/reports/read-report.ts";

const form = { kind: "junit", names: { suites: true, classnames: false }, mark: "" } as const;
const parseJunit = (xml: string) => parse(xml)?.tests;
const readJunit = async (xml: string) => (await readReport(form, xml))?.tests;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-junit-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What node's own reporter writes for test files. */
function nodeReport(files: Record<string, string>): string {
  const work = mkdtempSync(join(folder, "run-"));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(work, name), content);
  const report = join(work, "report.xml");
  const names = Object.keys(files).map((name) => join(work, name));
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  spawnSync(process.execPath, ["--test", "--test-reporter=junit", `--test-reporter-destination=${report}`, ...names], {
    cwd: work,
    env,
    timeout: 30_000,
  });
  return readFileSync(report, "utf8");
}

describe("node's own reporter", () => {
  test("passes, failures, skips, todos, nested suites and quotes in names", () => {
    const tests = parseJunit(
      nodeReport({
        "a.test.mjs": `import { test, describe, it } from "node:test";
          test("plain", () => {});
          test("says \\"no\\" & <leaves>", () => { throw new Error("no"); });
          test.skip("rests", () => {});
          test.todo("later", () => {});
          describe("outer", () => { describe("inner", () => { it("deep", () => {}); it("deep", () => { throw 1 }); }); });`,
      }),
    );
    expect(tests).toEqual({
      plain: "passed",
      'says "no" & <leaves>': "failed",
      rests: "skipped",
      later: "skipped",
      "outer > inner > deep": "failed",
      "outer > inner > deep #2": "passed",
    });
  });

  test("one name in two files is two tests: neither can go unmissed", () => {
    const works = `import { test } from "node:test"; test("works", () => {});`;
    expect(parseJunit(nodeReport({ "a.test.mjs": works, "b.test.mjs": works }))).toEqual({
      works: "passed",
      "works #2": "passed",
    });
    expect(parseJunit(nodeReport({ "a.test.mjs": works }))).toEqual({ works: "passed" });
  });

  test("a file that does not load is a failure under its own name", () => {
    const tests = parseJunit(nodeReport({ "a.test.mjs": "import './missing.mjs';" })) ?? {};
    expect(Object.values(tests)).toEqual(["failed"]);
  });
});

describe("what is no report", () => {
  const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><testsuites><testcase name="&b;"/></testsuites>`;
  test.each([
    ["nothing", ""],
    ["text", "all tests passed"],
    ["another document", "<html><body/></html>"],
    ["an open element", '<testsuites><testcase name="a">'],
    ["two roots", "<testsuites></testsuites><testsuites></testsuites>"],
    ["a document type", bomb],
    ["a document type in small letters", bomb.replace("DOCTYPE", "doctype")],
    [
      "suites nested beyond the stack",
      `<testsuites>${"<testsuite>".repeat(200_000)}${"</testsuite>".repeat(200_000)}</testsuites>`,
    ],
    ["more tests than a suite has", `<testsuites>${"<testcase/>".repeat(50_001)}</testsuites>`],
    ["ids without end", `<testsuites>${`<testcase name="${"n".repeat(2000)}"/>`.repeat(4500)}</testsuites>`],
  ])("%s", (_, xml) => {
    expect(parseJunit(xml)).toBeUndefined();
  });

  test("and an empty report is one", () => {
    expect(parseJunit("<testsuites/>")).toEqual({});
    expect(parseJunit('<?xml version="1.0"?><testsuite name="s"><testcase name="a"/></testsuite>')).toEqual({
      "s > a": "passed",
    });
  });
});

describe("names that are more than names", () => {
  test("names of object members are tests like others, and survive the ledger", () => {
    const tests =
      parseJunit(
        '<testsuites><testcase name="__proto__"><failure/></testcase><testcase name="constructor"/></testsuites>',
      ) ?? {};
    expect(JSON.parse(canonicalJson(tests))).toEqual(tests);
    expect(Object.values(tests).sort()).toEqual(["failed", "passed"]);
  });

  test("a name that is cut has no half character", () => {
    const tests = parseJunit(`<testsuites><testcase name="${"n".repeat(989)}😀"/></testsuites>`) ?? {};
    const [id = ""] = Object.keys(tests);
    expect(id.length).toBeLessThanOrEqual(1000);
    expect(id.isWellFormed()).toBe(true);
  });

  test("of one id the worst result counts, wherever it stands", () => {
    const one = (inner: string) => `<testcase name="a">${inner}</testcase>`;
    const xml = `<testsuites>${one("")}${one("<skipped/>")}${one("<error/>")}</testsuites>`;
    expect(parseJunit(xml)).toEqual({ a: "failed", "a #2": "skipped", "a #3": "passed" });
  });
});

describe("a large report", () => {
  test("is read in a thread while the host goes on", { timeout: 60_000 }, async () => {
    let worst = 0;
    let last = performance.now();
    const beat = setInterval(() => {
      worst = Math.max(worst, performance.now() - last);
      last = performance.now();
    }, 10);
    const slow = `<testsuites>${"x<b/>".repeat(600_000)}<testcase name="a"/></testsuites>`;
    const tests = await readJunit(slow);
    clearInterval(beat);
    expect(tests).toEqual({ a: "passed" });
    expect(worst).toBeLessThan(1000);
  });

  test("says the same there as here", async () => {
    const xml = `<testsuites>${Array.from({ length: 4000 }, (_, i) => `<testcase name="test number ${i}"/>`).join("")}</testsuites>`;
    expect(await readJunit(xml)).toEqual(parseJunit(xml));
    expect(await readJunit(`${xml}<`)).toBeUndefined();
  });
});
