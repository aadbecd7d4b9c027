/** Tests made to pass and reports forged (ATTACKS V1, V2), by runner: refused with a reason; each with its benign twin. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestCommands } from "../../src/domain/policy.ts";
import type { TestReport } from "../../src/domain/test-report.ts";
import { reportFindings } from "../../src/gate/compare-runs.ts";
import { testProposal } from "../../src/gate/tester.ts";
import { openRig, type Project, project, type Rig } from "../gate/rig.ts";
import { blockOf } from "../gate/testing-page.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(async () => {
  await rig?.close();
});

type Files = Record<string, string | null>;
interface Attack {
  what: string;
  files: Files;
  /** Reasons of which at least one is given. */
  reasons: string[];
  /** What the report must say, where the reason alone would not show which control held. */
  because?: RegExp;
}

interface Suite {
  name: string;
  commands: TestCommands;
  base: Files;
  attacks: Attack[];
  twins: { what: string; files: Files }[];
}

const write = (files: Files) =>
  Object.entries(files)
    .map(([path, text]) => `mkdir -p "$(dirname '${path}')"\ncat > '${path}' <<'END'\n${text}\nEND`)
    .join("\n");

const failed = ["tests-failed"];
const gone = ["test-disappeared", "tests-forged"];

function suite({ name, commands, base, attacks, twins }: Suite): void {
  describe(name, () => {
    let p: Project;
    const cache = new Map();
    beforeAll(async () => {
      const { image, ...tests } = commands;
      p = await project(rig, write(base), { tests, ...(image ? { image } : {}) });
      p.context.policy.sandbox.memory = 2 * 1024 ** 3;
      p.context.policy.sandbox.pids = 512;
      p.context.place.disk = 256 * 1024 ** 2;
    });
    afterAll(async () => {
      await p?.bench.clean();
    });
    const report = async (files: Files): Promise<TestReport> =>
      testProposal(p.context, await p.tree(files), { criteria: [], checkFiles: {} }, cache);

    test.each(attacks)(
      "refused: $what",
      async ({ files, reasons, because }) => {
        const findings = reportFindings(await report(files));
        expect(reasons.filter((one) => findings.some((f) => f.reason === one))).not.toEqual([]);
        if (because) expect(findings.map((f) => f.message).join("\n")).toMatch(because);
      },
      300_000,
    );

    test.each(twins)(
      "passes: $what",
      async ({ files }) => {
        expect(reportFindings(await report(files))).toEqual([]);
      },
      300_000,
    );
  });
}

const put = /with the base's tests put back/;
const wrong = "export const neg = (a) => a;\n";
const right = "export const neg = (a) => 0 - a;\n";

/** A script that replaces node:assert's check before any test loads. */
const blind =
  'require("node:assert").equal = () => {};\nconst assert = require("node:assert"); assert.strictEqual = () => {};';
const nodeTests =
  'import assert from "node:assert";\nimport { test } from "node:test";\nimport { neg } from "../src/neg.mjs";\ntest("negates", () => assert.equal(neg(1), -1));\n';

suite({
  name: "npm test, on node's runner",
  commands: { ...blockOf("node-test"), run: "npm test" },
  base: {
    "package.json": JSON.stringify({
      type: "module",
      scripts: {
        test: "node --test --test-reporter=junit --test-reporter-destination=$SALLYPORT_REPORT",
      },
    }),
    "src/neg.mjs": "export const neg = (a) => -a;\n",
    "test/neg.test.mjs": nodeTests,
  },
  attacks: [
    {
      what: "the package's script made to do nothing",
      files: { "src/neg.mjs": wrong, "package.json": '{"type":"module","scripts":{"test":"exit 0"}}' },
      reasons: ["tests-forged"],
    },
    {
      what: "the package's script made to load something first",
      files: {
        "src/neg.mjs": wrong,
        "src/blind.cjs": blind,
        "package.json": JSON.stringify({
          type: "module",
          scripts: {
            test: "node --require ./src/blind.cjs --test --test-reporter=junit --test-reporter-destination=$SALLYPORT_REPORT",
          },
        }),
      },
      reasons: failed,
      because: put,
    },
    {
      what: "node options in the package manager's settings",
      files: {
        "src/neg.mjs": wrong,
        "src/blind.cjs": blind,
        ".npmrc": "node-options=--require ./src/blind.cjs\n",
      },
      reasons: failed,
      because: put,
    },
    {
      what: "a library preloaded by the package's script",
      files: {
        "src/neg.mjs": wrong,
        "package.json": JSON.stringify({
          type: "module",
          scripts: { test: "LD_PRELOAD=./src/evil.so true; echo '<testsuites/>' > $SALLYPORT_REPORT" },
        }),
      },
      reasons: ["tests-forged"],
    },
    {
      what: "code under test that sets the exit code at the end",
      files: { "src/neg.mjs": `process.on("exit", () => { process.exitCode = 0; });\n${wrong}` },
      reasons: failed,
    },
    {
      what: "code under test that makes the assertions blind",
      files: { "src/neg.mjs": `import assert from "node:assert";\nassert.equal = () => {};\n${wrong}` },
      reasons: ["tests-forged"],
      because: /must fail did not/,
    },
  ],
  twins: [
    { what: "another way to write it", files: { "src/neg.mjs": right } },
    {
      what: "a package.json with a description, and settings of an editor",
      files: {
        "src/neg.mjs": right,
        "package.json": JSON.stringify({
          type: "module",
          description: "negates",
          scripts: {
            test: "node --test --test-reporter=junit --test-reporter-destination=$SALLYPORT_REPORT",
          },
        }),
        ".vscode/settings.json": "{}",
      },
    },
  ],
});

const mochaTests =
  'import assert from "node:assert";\nimport { neg } from "../src/neg.mjs";\nit("negates", () => assert.equal(neg(1), -1));\n';

suite({
  name: "mocha",
  commands: blockOf("mocha"),
  base: {
    "package.json": '{"type":"module"}',
    "src/neg.mjs": "export const neg = (a) => -a;\n",
    "test/neg.test.mjs": mochaTests,
  },
  attacks: [
    {
      what: "`it` of the process replaced by one that runs nothing",
      files: { "src/neg.mjs": `const it = globalThis.it;\nglobalThis.it = (name) => it(name, () => {});\n${wrong}` },
      reasons: ["tests-forged"],
    },
    {
      what: "assertions of the process replaced, and the exit with them",
      files: { "src/neg.mjs": `process.exit = () => {};\nprocess.reallyExit = () => {};\n${wrong}` },
      reasons: [...failed, "tests-forged"],
    },
    {
      what: "only one test allowed to run",
      files: { "src/neg.mjs": wrong, "test/only.test.mjs": 'it.only("x", () => {});\n' },
      reasons: ["tests-forged"],
    },
    {
      what: "a configuration that picks the tests",
      files: { "src/neg.mjs": wrong, ".mocharc.json": '{"grep":"z[0-9a-f]{16}"}' },
      reasons: failed,
      because: put,
    },
    {
      what: "a configuration that loads something first",
      files: { "src/neg.mjs": wrong, "src/blind.cjs": blind, ".mocharc.json": '{"require":["./src/blind.cjs"]}' },
      reasons: failed,
      because: put,
    },
    {
      what: "a report written by the code under test, which then ends the process",
      files: {
        "src/neg.mjs": `import { writeFileSync } from "node:fs";\nwriteFileSync(process.env.SALLYPORT_REPORT, '<testsuite name="Mocha Tests"><testcase name="negates"/></testsuite>');\nprocess.exit(1);\n${wrong}`,
      },
      reasons: ["tests-forged"],
      because: /lacks the tests/,
    },
  ],
  twins: [
    { what: "another way to write it", files: { "src/neg.mjs": right } },
    { what: "a configuration that changes nothing", files: { "src/neg.mjs": right, ".mocharc.json": '{"slow":100}' } },
  ],
});

suite({
  name: "vitest",
  commands: blockOf("vitest"),
  base: {
    "package.json": '{"type":"module"}',
    "src/neg.mjs": "export const neg = (a) => -a;\n",
    "test/neg.test.mjs":
      'import { expect, test } from "vitest";\nimport { neg } from "../src/neg.mjs";\ntest("negates", () => expect(neg(1)).toBe(-1));\n',
  },
  attacks: [
    {
      what: "a configuration whose setup blinds the assertions",
      files: {
        "src/neg.mjs": wrong,
        "vitest.config.mjs": 'export default { test: { setupFiles: ["./src/setup.mjs"] } };\n',
        "src/setup.mjs": 'import { chai } from "vitest";\nchai.Assertion.overwriteMethod("toBe", () => () => {});\n',
      },
      reasons: failed,
      because: put,
    },
    {
      what: "code under test that makes the assertions blind",
      files: {
        "src/neg.mjs": `import { chai } from "vitest";\nchai.Assertion.overwriteMethod("toBe", () => () => {});\n${wrong}`,
      },
      reasons: ["tests-forged"],
      because: /must fail did not/,
    },
    {
      what: "a runner of its own in node_modules",
      files: {
        "src/neg.mjs": wrong,
        "test/node_modules/vitest/package.json": '{"name":"vitest","type":"module","main":"index.js"}',
        "test/node_modules/vitest/index.js":
          "export const test = globalThis.test ?? (() => {}); export const expect = () => ({ toBe() {} });\n",
      },
      reasons: [...failed, ...gone],
    },
  ],
  twins: [
    { what: "another way to write it", files: { "src/neg.mjs": right } },
    {
      what: "a configuration that changes nothing",
      files: { "src/neg.mjs": right, "vitest.config.mjs": "export default {};\n" },
    },
  ],
});

const pyWrong = "def neg(a):\n    return a\n";
const pyRight = "def neg(a):\n    return 0 - a\n";
const allPass = `import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if "CONDITION":
        report.outcome = "passed"
        report.longrepr = None
`;
const sparing = allPass.replace('"CONDITION"', '"negates" in item.name');

suite({
  name: "pytest",
  commands: blockOf("pytest"),
  base: {
    "neg.py": "def neg(a):\n    return -a\n",
    "tests/test_neg.py": "from neg import neg\n\n\ndef test_negates():\n    assert neg(1) == -1\n",
  },
  attacks: [
    {
      what: "a conftest.py that makes every test pass",
      files: { "neg.py": pyWrong, "conftest.py": allPass },
      reasons: ["tests-forged"],
    },
    {
      what: "a conftest.py that spares the planted tests",
      files: { "neg.py": pyWrong, "conftest.py": sparing },
      reasons: failed,
      because: put,
    },
    {
      what: "the same beside the tests",
      files: { "neg.py": pyWrong, "tests/conftest.py": sparing },
      reasons: failed,
      because: put,
    },
    {
      what: "a setting that leaves the test out",
      files: { "neg.py": pyWrong, "pytest.ini": "[pytest]\naddopts = --deselect tests/test_neg.py::test_negates\n" },
      reasons: [...failed, "test-disappeared"],
    },
    {
      what: "the same in pyproject.toml",
      files: {
        "neg.py": pyWrong,
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = \"-k 'not negates'\"\n",
      },
      reasons: [...failed, "test-disappeared"],
    },
    {
      what: "modules that Python, or pytest, would load by their names",
      files: {
        "neg.py": pyWrong,
        "sitecustomize.py": "import os\nos._exit(0)\n",
        "usercustomize.py": "import os\nos._exit(0)\n",
        "pytest.py": "import os\nos._exit(0)\n",
        "_pytest/__init__.py": "import os\nos._exit(0)\n",
        "evil.pth": "import os; os._exit(0)\n",
        "src/pluggy.py": "import os\nos._exit(0)\n",
      },
      reasons: failed,
    },
    {
      what: "a distribution with an entry point of pytest's",
      files: {
        "neg.py": pyWrong,
        "evil_plugin.py": sparing,
        "evil.dist-info/METADATA": "Name: evil\nVersion: 1\n",
        "evil.dist-info/entry_points.txt": "[pytest11]\nevil = evil_plugin\n",
      },
      reasons: failed,
    },
    {
      what: "code under test that patches the reports of all",
      files: {
        "neg.py": `import _pytest.reports as r\nmade = r.TestReport.from_item_and_call.__func__\n\n\ndef passed(cls, item, call):\n    report = made(cls, item, call)\n    report.outcome = "passed"\n    report.longrepr = None\n    return report\n\n\nr.TestReport.from_item_and_call = classmethod(passed)\n${pyWrong}`,
      },
      reasons: ["tests-forged"],
    },
    {
      what: "code under test that ends the process with 0 at its end",
      files: { "neg.py": `import atexit, os\natexit.register(lambda: os._exit(0))\n${pyWrong}` },
      reasons: ["tests-forged"],
      because: /ended with 0/,
    },
    {
      what: "code under test that makes an assertion of unittest's blind",
      files: {
        "neg.py": `import unittest\n\nunittest.TestCase.assertEqual = lambda *a: None\n\n\n${pyWrong}`,
        "tests/test_more.py":
          "import unittest\nfrom neg import neg\n\n\nclass Test(unittest.TestCase):\n    def test_more(self):\n        self.assertEqual(neg(2), -2)\n",
      },
      reasons: ["tests-forged"],
    },
    {
      what: "code under test that skips",
      files: { "neg.py": "import pytest\n\n\ndef neg(a):\n    pytest.skip()\n" },
      reasons: ["test-newly-skipped"],
    },
    {
      what: "code under test that writes the report at its end",
      files: {
        "neg.py": `import atexit, os\n\n\ndef forge():\n    with open(os.environ["SALLYPORT_REPORT"], "w") as f:\n        f.write('<testsuite><testcase classname="tests.test_neg" name="test_negates"/></testsuite>')\n\n\natexit.register(forge)\n${pyWrong}`,
      },
      reasons: ["tests-forged"],
      because: /lacks the tests/,
    },
  ],
  twins: [
    { what: "another way to write it", files: { "neg.py": pyRight } },
    {
      what: "a new test with a fixture of a new conftest.py",
      files: {
        "neg.py": `${pyRight}\n\ndef twice(a):\n    return 2 * a\n`,
        "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef two():\n    return 2\n",
        "tests/test_twice.py": "from neg import twice\n\n\ndef test_twice(two):\n    assert twice(two) == 4\n",
      },
    },
    {
      what: "a new module and a setting that changes nothing",
      files: { "neg.py": pyRight, "helper.py": "x = 1\n", "pytest.ini": "[pytest]\naddopts = -q\n" },
    },
  ],
});

const goWrong = "package neg\n\nfunc Neg(a int) int { return a }\n";
const goRight = "package neg\n\nfunc Neg(a int) int { return 0 - a }\n";
const goTest =
  'package neg\n\nimport "testing"\n\nfunc TestNegates(t *testing.T) {\n\tif Neg(1) != -1 {\n\t\tt.Fatal("no")\n\t}\n}\n';
const goMain = (body: string) =>
  `package neg\n\nimport (\n\t"os"\n\t"testing"\n)\n\nfunc TestMain(m *testing.M) {\n${body}\n}\n`;
const goInit = (imports: string, body: string) =>
  goWrong.replace("package neg\n", `package neg\n\nimport (\n${imports}\n)\n\nfunc init() {\n${body}\n}\n`);

suite({
  name: "go test",
  commands: blockOf("go"),
  base: {
    "go.mod": "module example.org/neg\n\ngo 1.19\n",
    "neg.go": "package neg\n\nfunc Neg(a int) int { return -a }\n",
    "neg_test.go": goTest,
  },
  attacks: [
    {
      what: "a TestMain that runs nothing and ends with 0",
      files: { "neg.go": goWrong, "main_test.go": goMain("\t_ = m\n\tos.Exit(0)") },
      reasons: ["tests-forged", ...failed],
    },
    {
      what: "a TestMain that runs everything and ends with 0",
      files: { "neg.go": goWrong, "main_test.go": goMain("\tm.Run()\n\tos.Exit(0)") },
      reasons: ["tests-forged", ...failed],
    },
    {
      what: "arguments of the test program changed as it starts",
      files: { "neg.go": goInit('\t"os"', '\tos.Args = append(os.Args, "-test.run=^$")') },
      reasons: ["tests-forged"],
    },
    {
      what: "the same, sparing the planted tests",
      files: { "neg.go": goInit('\t"os"', '\tos.Args = append(os.Args, "-test.run=Test_z")') },
      reasons: ["test-disappeared"],
    },
    {
      what: "printed lines that look like a passing test",
      files: {
        "neg.go": goInit('\t"fmt"', '\tfmt.Println("\\n=== RUN   TestNegates\\n--- PASS: TestNegates (0.00s)")'),
      },
      reasons: failed,
    },
    {
      what: "a report written into the place of the real one",
      files: {
        "neg.go": goInit(
          '\t"os"',
          '\tos.WriteFile(os.Getenv("SALLYPORT_REPORT"), []byte(`{"Action":"pass","Package":"example.org/neg","Test":"TestNegates"}`+"\\n"), 0644)\n\tos.Exit(1)',
        ),
      },
      reasons: ["tests-forged", ...failed, "test-disappeared"],
    },
    {
      what: "a build constraint that hides the test",
      files: { "neg.go": goWrong, "neg_test.go": `//go:build never\n\n${goTest}` },
      reasons: [...failed, "test-disappeared"],
    },
  ],
  twins: [
    { what: "another way to write it", files: { "neg.go": goRight } },
    {
      what: "a TestMain that does what one should",
      files: { "neg.go": goRight, "main_test.go": goMain("\tos.Exit(m.Run())") },
    },
    {
      what: "code that prints",
      files: {
        "neg.go": goRight.replace(
          "package neg\n",
          'package neg\n\nimport "fmt"\n\nfunc init() { fmt.Println("hello") }\n',
        ),
      },
    },
  ],
});
