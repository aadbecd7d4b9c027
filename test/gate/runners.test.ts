import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestReport } from "../../src/domain/test-report.ts";
import { reportFindings } from "../../src/gate/compare-runs.ts";
import { testProposal } from "../../src/gate/tester.ts";
import { openRig, type Project, project, type Rig } from "./rig.ts";
import { blockOf } from "./testing-page.ts";

interface Case {
  name: string;
  base: string;
  /** The change that is right, and a new test that needs it. */
  good: Record<string, string>;
  /** A change of the source that breaks the base's test. */
  bad: Record<string, string>;
  /** Code that ends the process with 0 as it loads. */
  quits: Record<string, string>;
  passToPass: string[];
  failToPass: string[];
}

const write = (files: Record<string, string>) =>
  Object.entries(files)
    .map(([path, text]) => `mkdir -p "$(dirname ${path})"\ncat > ${path} <<'END'\n${text}\nEND`)
    .join("\n");

const js = (suffix: string, head: string, call: string, names: [string, string]): Omit<Case, "name"> => {
  const source = (sum: string) => `export const sum = (a, b) => ${sum};\nexport const neg = (a) => -a;\n`;
  const tests = (extra: string) =>
    `import assert from "node:assert";\n${head}\nimport { neg, sum } from "../src/sum.mjs";\n${call}("negates", () => assert.equal(neg(1), -1));\n${extra}`;
  return {
    base: write({
      "package.json": '{"type":"module"}',
      "src/sum.mjs": source("a - b"),
      [`test/sum${suffix}`]: tests(""),
    }),
    good: {
      "src/sum.mjs": source("a + b"),
      [`test/sum${suffix}`]: tests(`${call}("adds", () => assert.equal(sum(1, 2), 3));\n`),
    },
    bad: { "src/sum.mjs": "export const sum = (a, b) => a + b;\nexport const neg = (a) => a;\n" },
    quits: { "src/sum.mjs": `process.exit(0);\n${source("a + b")}` },
    passToPass: [names[0]],
    failToPass: [names[1]],
  };
};

// jest runs scripts, not modules, unless it is told how to transform them.
const jestSource = (sum: string, neg = "-a") => `exports.sum = (a, b) => ${sum};\nexports.neg = (a) => ${neg};\n`;
const jestTests = (extra: string) =>
  `const { neg, sum } = require("../src/sum.js");\ntest("negates", () => expect(neg(1)).toBe(-1));\n${extra}`;

const pySource = (sum: string, neg = "-a") => `def add(a, b):\n    return ${sum}\n\n\ndef neg(a):\n    return ${neg}\n`;
const pyTests = (extra: string, names = "neg") =>
  `from money import ${names}\n\n\ndef test_negates():\n    assert neg(1) == -1\n${extra}`;

const goSource = (sum: string, neg = "-a") =>
  `package money\n\nfunc Add(a, b int) int { return ${sum} }\n\nfunc Neg(a int) int { return ${neg} }\n`;
const goTests = (extra: string) =>
  `package money\n\nimport "testing"\n\nfunc TestNegates(t *testing.T) {\n\tif Neg(1) != -1 {\n\t\tt.Fatal("no")\n\t}\n}\n${extra}`;

const rustSource = (sum: string, neg = "-a") =>
  `pub fn add(a: i32, b: i32) -> i32 { ${sum} }\npub fn neg(a: i32) -> i32 { ${neg} }\n`;
const rustTests = (extra: string) => `use money::*;\n#[test]\nfn negates() { assert_eq!(neg(1), -1); }\n${extra}`;

const cases: Case[] = [
  { name: "node-test", ...js(".test.mjs", 'import { test } from "node:test";', "test", ["negates", "adds"]) },
  {
    name: "vitest",
    ...js(".test.mjs", 'import { test } from "vitest";', "test", [
      "test/sum.test.mjs > negates",
      "test/sum.test.mjs > adds",
    ]),
  },
  {
    name: "jest",
    base: write({ "package.json": "{}", "src/sum.js": jestSource("a - b"), "test/sum.test.js": jestTests("") }),
    good: {
      "src/sum.js": jestSource("a + b"),
      "test/sum.test.js": jestTests('test("adds", () => expect(sum(1, 2)).toBe(3));\n'),
    },
    bad: { "src/sum.js": jestSource("a + b", "a") },
    quits: { "src/sum.js": `process.exit(0);\n${jestSource("a + b")}` },
    passToPass: ["test/sum.test.js > negates"],
    failToPass: ["test/sum.test.js > adds"],
  },
  { name: "mocha", ...js(".test.mjs", "", "it", ["negates", "adds"]) },
  {
    name: "pytest",
    base: write({ "money.py": pySource("a - b"), "tests/test_money.py": pyTests("") }),
    good: {
      "money.py": pySource("a + b"),
      "tests/test_money.py": pyTests("\n\ndef test_adds():\n    assert add(1, 2) == 3\n", "add, neg"),
    },
    bad: { "money.py": pySource("a + b", "a") },
    quits: { "money.py": `import os\nos._exit(0)\n${pySource("a + b")}` },
    passToPass: ["tests.test_money > test_negates"],
    failToPass: ["tests.test_money > test_adds"],
  },
  {
    name: "go",
    base: write({
      "go.mod": "module example.org/money\n\ngo 1.19",
      "money.go": goSource("a - b"),
      "money_test.go": goTests(""),
    }),
    good: {
      "money.go": goSource("a + b"),
      "money_test.go": goTests('func TestAdds(t *testing.T) {\n\tif Add(1, 2) != 3 {\n\t\tt.Fatal("no")\n\t}\n}\n'),
    },
    bad: { "money.go": goSource("a + b", "a") },
    quits: {
      "money.go": `${goSource("a + b").replace("package money\n", 'package money\n\nimport "os"\n')}\nfunc init() { os.Exit(0) }\n`,
    },
    passToPass: ["example.org/money > TestNegates"],
    failToPass: ["example.org/money > TestAdds"],
  },
  {
    name: "cargo",
    base: write({
      "Cargo.toml": '[package]\nname = "money"\nversion = "0.1.0"\nedition = "2021"',
      "src/lib.rs": rustSource("a - b"),
      "tests/money.rs": rustTests(""),
    }),
    good: {
      "src/lib.rs": rustSource("a + b"),
      "tests/money.rs": rustTests("#[test]\nfn adds() { assert_eq!(add(1, 2), 3); }\n"),
    },
    bad: { "src/lib.rs": rustSource("a + b", "a") },
    quits: { "src/lib.rs": rustSource("a + b", "std::process::exit(a - a)") },
    passToPass: ["tests/money.rs > negates"],
    failToPass: ["tests/money.rs > adds"],
  },
];

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(async () => {
  await rig?.close();
});

describe.each(cases)("$name, as docs/testing.md has it", (one) => {
  let p: Project;
  const cache = new Map();
  beforeAll(async () => {
    const { image, ...tests } = blockOf(one.name);
    p = await project(rig, one.base, { tests, ...(image ? { image } : {}) });
    // Compilers need more room than the samples' policy gives.
    p.context.policy.sandbox.memory = 2 * 1024 ** 3;
    p.context.policy.sandbox.pids = 512;
    p.context.place.disk = 256 * 1024 ** 2;
  });
  afterAll(async () => {
    await p?.bench.clean();
  });
  const report = async (files: Record<string, string | null>): Promise<TestReport> =>
    testProposal(p.context, await p.tree(files), { criteria: [], checkFiles: {} }, cache);

  test("a right change with a test that needs it is green; ids are the same from run to run", async () => {
    const found = await report(one.good);
    expect(reportFindings(found)).toEqual([]);
    expect(found).toMatchObject({ passToPass: one.passToPass, failToPass: one.failToPass, unproven: [] });
    expect([found.base?.green, found.proposal?.green, found.proven?.green]).toEqual([true, true, true]);
  }, 300_000);

  test("a change that breaks a test is red, and not called forged", async () => {
    const found = await report(one.bad);
    expect(found.broken).toEqual(one.passToPass);
    expect(reportFindings(found).map((f) => f.reason)).toEqual(["tests-failed"]);
  }, 300_000);

  test("code that ends the process with 0 is not green", async () => {
    const found = await report(one.quits);
    expect(reportFindings(found)).not.toEqual([]);
  }, 300_000);
});

describe.each(["none", "exit"])("%s, as docs/testing.md has it", (name) => {
  let p: Project;
  const script = `if [ "$(cat src/value)" = good ]; then
  echo '<testsuite name="s"><testcase classname="c" name="is good"/></testsuite>' >"$SALLYPORT_REPORT"
else
  echo '<testsuite name="s"><testcase classname="c" name="is good"><failure/></testcase></testsuite>' >"$SALLYPORT_REPORT"
  exit 1
fi`;
  beforeAll(async () => {
    p = await project(rig, write({ "run-tests.sh": script, "src/value": "good" }), { tests: blockOf(name) });
  });
  afterAll(async () => {
    await p?.bench.clean();
  });
  const cache = new Map();
  const report = async (value: string) =>
    testProposal(p.context, await p.tree({ "src/value": value }), { criteria: [], checkFiles: {} }, cache);

  test("green and red, by what the command says", async () => {
    const green = await report("good\n");
    expect(reportFindings(green)).toEqual([]);
    expect(green.passToPass).toEqual(name === "none" ? ["s > c > is good"] : []);
    expect(reportFindings(await report("bad\n")).map((f) => f.reason)).toEqual(["tests-failed"]);
  }, 180_000);
});
