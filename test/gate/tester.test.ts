import { existsSync, statSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Criterion } from "../../src/domain/brief.ts";
import type { TestReport } from "../../src/domain/test-report.ts";
import { reportFindings } from "../../src/gate/compare-runs.ts";
import { runTests } from "../../src/gate/test-run.ts";
import { testProposal } from "../../src/gate/tester.ts";
import { mounts } from "../../src/worktree/mount.ts";
import { nodeTest, openRig, type Project, project, type Rig } from "./rig.ts";

const base = `mkdir -p src test
cat > src/sum.mjs <<'END'
export const sum = (a, b) => a - b;
export const neg = (a) => -a;
END
cat > test/sum.test.mjs <<'END'
import { test } from "node:test";
import assert from "node:assert";
import { neg, sum } from "../src/sum.mjs";
test("negates", () => assert.equal(neg(1), -1));
test("adds nothing", () => assert.equal(sum(1, 0), 1));
END
printf '{"type":"module"}' > package.json`;

const good = "export const sum = (a, b) => a + b;\nexport const neg = (a) => -a;\n";
const suite = (
  extra: string,
  lines = 'test("negates", () => assert.equal(neg(1), -1));\ntest("adds nothing", () => assert.equal(sum(1, 0), 1));',
) =>
  `import { test } from "node:test";\nimport assert from "node:assert";\nimport { neg, sum } from "../src/sum.mjs";\n${lines}\n${extra}\n`;

let rig: Rig;
let p: Project;
const cache = new Map();
beforeAll(async () => {
  rig = await openRig();
  p = await project(rig, base);
});
afterAll(async () => {
  await p?.bench.clean();
  await rig?.close();
});

async function report(
  files: Parameters<Project["tree"]>[0],
  criteria: Criterion[] = [],
  checkFiles = {},
): Promise<TestReport> {
  return testProposal(p.context, await p.tree(files), { criteria, checkFiles }, cache);
}
const reasons = (of: TestReport) => [...new Set(reportFindings(of).map((f) => f.reason))];

describe("the host's own evidence", () => {
  test("an honest change with an honest test is green, and the test is shown to need the change", async () => {
    const found = await report({
      "src/sum.mjs": good,
      "test/sum.test.mjs": suite('test("adds", () => assert.equal(sum(1, 2), 3));'),
    });
    expect(reportFindings(found)).toEqual([]);
    expect(found).toMatchObject({ failToPass: ["adds"], unproven: [], passToPass: ["negates", "adds nothing"] });
    expect([found.base?.green, found.proposal?.green, found.proven?.green]).toEqual([true, true, true]);
    expect(found.proven?.tree).not.toBe(found.proposal?.tree);
  });

  test("a new test that passes without the change is unproven", async () => {
    const found = await report({ "src/sum.mjs": good, "test/sum.test.mjs": suite('test("adds", () => {});') });
    expect(found).toMatchObject({ failToPass: [], unproven: ["adds"] });
  });

  test("nothing is left of it: no mount, no file, no sandbox that goes on", async () => {
    expect((await mounts()).filter((m) => m.path.startsWith(p.bench.root))).toEqual([]);
    expect(await readdir(p.context.place.directory)).toEqual([]);
    const ended = rig.events.filter((e) => e.type === "sandbox.ended").length;
    expect(rig.events.filter((e) => e.type === "sandbox.started")).toHaveLength(ended);
  });
});

describe("tests that are made to pass (V1)", () => {
  const broken = "export const sum = (a, b) => a - b;\nexport const neg = (a) => a;\n";
  const negates = 'test("negates", () => assert.equal(neg(1), -1));';
  const adds = 'test("adds nothing", () => assert.equal(sum(1, 0), 1));';

  test.each<[string, Parameters<Project["tree"]>[0], string[]]>([
    [
      "the failing test deleted",
      { "src/sum.mjs": broken, "test/sum.test.mjs": suite("", adds) },
      ["tests-failed", "test-disappeared"],
    ],
    ["the file deleted", { "src/sum.mjs": broken, "test/sum.test.mjs": null }, ["tests-failed", "test-disappeared"]],
    [
      "skipped",
      { "src/sum.mjs": broken, "test/sum.test.mjs": suite("", `${negates.replace("test(", "test.skip(")}\n${adds}`) },
      ["tests-failed", "test-newly-skipped"],
    ],
    [
      "another one made the only one",
      { "src/sum.mjs": broken, "test/sum.test.mjs": suite("", `${negates}\n${adds.replace("test(", "test.only(")}`) },
      ["tests-failed"],
    ],
    [
      "the assertion turned round",
      { "src/sum.mjs": broken, "test/sum.test.mjs": suite("", `${negates.replace("-1", "1")}\n${adds}`) },
      ["tests-failed"],
    ],
    ["exit 0 while it loads", { "src/sum.mjs": `process.exit(0);\n${broken}` }, ["tests-forged"]],
    [
      "exit 0 while it loads, with tests that do not load it",
      {
        "src/sum.mjs": `process.exit(0);\n${broken}`,
        "test/sum.test.mjs":
          'import { test } from "node:test";\ntest("negates", () => {});\ntest("adds nothing", () => {});\n',
      },
      ["tests-forged"],
    ],
    [
      "node options of the package manager and of an env file",
      {
        "src/sum.mjs": broken,
        ".npmrc": "node-options=--require ./src/evil.cjs",
        ".env": "NODE_OPTIONS=--require ./src/evil.cjs",
        "src/evil.cjs":
          "require('node:fs').writeFileSync(process.env.SALLYPORT_REPORT, '<testsuites/>'); process.exit(0)",
      },
      ["tests-failed"],
    ],
    [
      "a planted module in the place of the assertions",
      {
        "src/sum.mjs": broken,
        "node_modules/assert/index.js": "module.exports = { equal() {} }",
        "node_modules/node:assert/index.js": "module.exports = { equal() {} }",
      },
      ["tests-failed"],
    ],
  ])("%s", async (_, files, expected) => {
    const found = await report(files);
    expect(reasons(found)).toEqual(expected);
  });

  test("a run that rewrites evidence while it is used is not believed; one that writes beside it is", async () => {
    const write = (path: string) =>
      `import { appendFileSync } from "node:fs";\nif (process.env.NODE_TEST_CONTEXT) appendFileSync("${path}", "// seen\\n");\n${good}`;
    expect(reasons(await report({ "src/sum.mjs": write("test/sum.test.mjs") }))).toEqual(["tests-forged"]);
    expect(reasons(await report({ "src/sum.mjs": write("test/log.txt") }))).toEqual([]);
  });

  test("a test file that kills the runner leaves no report that is believed", async () => {
    const killer = 'import { test } from "node:test";\nprocess.kill(process.ppid, "SIGKILL");\ntest("x", () => {});\n';
    const found = await report({ "src/sum.mjs": good, "test/kill.test.mjs": killer });
    expect(found.proposal?.green).toBe(false);
    expect(reasons(found)).toContain("tests-forged");
    expect(reportFindings(found)[0]?.message).toMatch(/left no report|not JUnit XML|lacks the tests/);
    expect(found.proven?.green).toBe(true);
  });

  test("the environment is an allow-list: nothing of the host's, and no proxy", async () => {
    process.env["SALLYPORT_CANARY"] = "leak";
    const tree = await p.tree({});
    const run = await runTests(p.context, { run: "env; exit 0", report: "exit", evidence: [] }, "env", tree).finally(
      () => {
        delete process.env["SALLYPORT_CANARY"];
      },
    );
    expect(run.green).toBe(true);
    const names = run.tail.split("\n").flatMap((line) => /^([A-Za-z_]+)=/.exec(line)?.[1] ?? []);
    const allowed = [
      "CI",
      "HOME",
      "HOSTNAME",
      "LANG",
      "LOGNAME",
      "NO_COLOR",
      "PATH",
      "PWD",
      "SALLYPORT_COVERAGE",
      "SALLYPORT_REPORT",
      "TMPDIR",
      "TZ",
      "USER",
    ];
    // What the image itself sets is the operator's, by its digest.
    const ofImage = (name: string) => name.startsWith("NPM_CONFIG_");
    expect(names.filter((name) => !allowed.includes(name) && !ofImage(name))).toEqual([]);
  });
});

describe("reports that are forged (V2)", () => {
  const forge = (xml: string) => `import { writeFileSync } from "node:fs";
    if (process.env.SALLYPORT_REPORT) { process.on("exit", () => {}); writeFileSync(process.env.SALLYPORT_REPORT, ${JSON.stringify(xml)}); }
    try { process.kill(process.ppid, "SIGKILL"); } catch {}
    export const sum = () => 0, neg = () => 0;`;

  test.each([
    [
      "one that all passed",
      '<testsuites><testcase name="negates"/><testcase name="adds nothing"/></testsuites>',
      /lacks the tests that the host planted/,
    ],
    ["no XML", "all is well", /not JUnit XML/],
    ["a document type", '<!DOCTYPE t [<!ENTITY a "b">]><testsuites/>', /not JUnit XML/],
  ])("written by the code under test: %s", async (_, xml, why) => {
    const found = await report({ "src/sum.mjs": forge(xml) });
    expect(found.proposal).toMatchObject({ green: false, forged: expect.stringMatching(why) });
    expect(reasons(found)).toEqual(["tests-forged"]);
  });

  test.each([
    ["a link to a file of the host", "ln -sf /etc/passwd $SALLYPORT_REPORT", /not a plain file/],
    ["a fifo", "mkfifo $SALLYPORT_REPORT", /not a plain file/],
    ["a folder", "mkdir $SALLYPORT_REPORT", /not a plain file/],
    ["one without end", "head -c 9000000 /dev/zero > $SALLYPORT_REPORT", /larger than/],
    [
      "its folder replaced by a link",
      'd=$(dirname $SALLYPORT_REPORT); rm -r "$d"; ln -s /etc "$d"',
      /took away the folder/,
    ],
    ["nothing", "true", /left no report/],
  ])("left as %s", async (_, command, why) => {
    const run = await runTests(p.context, { ...nodeTest, run: command }, "odd", p.stage.base.tree);
    expect(run).toMatchObject({ green: false, forged: expect.stringMatching(why), tests: {} });
  });

  test("what remains: code that reads the planted file can imitate it; a check in a process apart is not fooled", async () => {
    const imitate = `import { readdirSync, readFileSync, writeFileSync } from "node:fs";
      const planted = readdirSync("test").find((name) => /^z[0-9a-f]{16}a\\.test/.test(name));
      const nonce = planted?.split(".")[0];
      if (nonce) {
        const [, a, b] = readFileSync("test/" + planted, "utf8").match(/(\\d+) \\* (\\d+)/);
        const report = \`<testsuites><testcase name="\${nonce} holds"/><testcase name="\${nonce} fails"><failure message="\${a * b}"/></testcase><testcase name="negates"/><testcase name="adds nothing"/></testsuites>\`;
        writeFileSync(process.env.SALLYPORT_REPORT, report);
        process.kill(process.ppid, "SIGKILL");
      }
      export const sum = () => 0, neg = () => 0;`;
    const criteria: Criterion[] = [
      { id: "A1", must: "sums", checks: [{ run: "node check.mjs", files: ["check.mjs"] }] },
    ];
    const check = 'import { sum } from "/workspace/src/sum.mjs"; process.exit(sum(1, 2) === 3 ? 0 : 1);';
    const found = await report({ "src/sum.mjs": imitate }, criteria, {
      "check.mjs": Buffer.from(check).toString("base64"),
    });
    expect(reasons(found)).toEqual(["check-failed"]);
  });
});

describe("paths in the way of the host's own files", () => {
  test("a link in the place of the test folder is not written through, not even where the base has it", async () => {
    const outside = await mkdtemp(join(tmpdir(), "sallyport-outside-"));
    try {
      const before = statSync(outside);
      for (const target of [outside, "src"]) {
        const run = await runTests(
          p.context,
          nodeTest,
          "link",
          await p.tree({ "test/sum.test.mjs": null, test: { link: target } }),
        );
        expect(run).toMatchObject({ green: false, exit: null, forged: expect.stringContaining("not a plain folder") });
      }
      expect(await readdir(outside)).toEqual([]);
      expect([statSync(outside).uid, statSync(outside).mode]).toEqual([before.uid, before.mode]);
    } finally {
      await rm(outside, { recursive: true, force: true });
    }
  });

  test("a folder that is not there is made", async () => {
    const run = await runTests(
      p.context,
      { ...nodeTest, plant: "test/made/here" },
      "made",
      await p.tree({ "src/sum.mjs": good }),
    );
    expect(run.forged).toBeUndefined();
    expect(run.tests).toMatchObject({ negates: "passed" });
  });

  test("a plant outside of the tree is refused", async () => {
    const place = join(p.bench.root, "escaped");
    await expect(
      runTests(p.context, { ...nodeTest, plant: "../../escaped" }, "out", p.stage.base.tree),
    ).rejects.toMatchObject({ code: "worktree-failed" });
    expect(existsSync(place)).toBe(false);
  });
});

describe("the ends of a run", () => {
  test("too long, too loud: red, and no forgery", async () => {
    const late = await runTests(p.context, { ...nodeTest, run: "sleep 60", wall: 700 }, "late", p.stage.base.tree);
    expect(late).toMatchObject({ ended: "timeout", green: false, tests: {}, exit: null });
    expect(late.forged).toBeUndefined();
    const loud = await runTests(p.context, { ...nodeTest, run: "yes" }, "loud", p.stage.base.tree);
    expect(loud).toMatchObject({ ended: "output", green: false });
  });

  test("a stop from outside is nobody's failed test", async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("stopped")), 700);
    const context = { ...p.context, signal: stop.signal };
    await expect(runTests(context, { ...nodeTest, run: "sleep 60" }, "stopped", p.stage.base.tree)).rejects.toThrow(
      "stopped",
    );
  });
});

describe("a base that cannot be tested", () => {
  const onBase = (commands: object, breaks: string[] = []) => {
    const context = { ...p.context, breaks, policy: { ...p.context.policy, tests: { ...nodeTest, ...commands } } };
    return testProposal(context, p.stage.base.tree, { criteria: [], checkFiles: {} }, new Map());
  };
  test.each([
    [
      "that does not run what is planted",
      { run: "node --test --test-reporter=junit --test-reporter-destination=$SALLYPORT_REPORT test/sum.test.mjs" },
    ],
    ["that writes no report", { run: "true" }],
    ["that hides its exit code", { run: `${nodeTest.run} || true` }],
    ["that does not end", { run: "sleep 60", wall: 700 }],
  ])("by a command %s is the policy's fault, and nobody is rejected", async (_, commands) => {
    await expect(onBase(commands)).rejects.toMatchObject({
      code: "policy-invalid",
      message: expect.stringContaining("already on the base"),
    });
  });

  test("a red base is remembered as red, said so, and does not excuse", async () => {
    const red = await project(rig, base.replace("neg(1), -1", "neg(1), 7"));
    try {
      const found = await testProposal(
        red.context,
        await red.tree({ "src/sum.mjs": good }),
        { criteria: [], checkFiles: {} },
        new Map(),
      );
      expect(found.base).toMatchObject({ green: false, tests: { negates: "failed" } });
      expect(reportFindings(found)[0]?.message).toContain("negates (fails on the base already)");
      const named = { ...red.context, breaks: ["negates"] };
      const excused = await testProposal(
        named,
        await red.tree({ "src/sum.mjs": good }),
        { criteria: [], checkFiles: {} },
        new Map(),
      );
      expect(reportFindings(excused)).toEqual([]);
    } finally {
      await red.bench.clean();
    }
  });

  test("is run once, and again only for another policy", async () => {
    const runs = () => rig.events.filter((e) => e.type === "sandbox.started").length;
    const remembered = new Map();
    const once = async (context = p.context) => {
      const from = runs();
      await testProposal(context, await p.tree({ "src/sum.mjs": good }), { criteria: [], checkFiles: {} }, remembered);
      return runs() - from;
    };
    expect([await once(), await once()]).toEqual([2, 1]);
    const tighter = { ...p.context.policy, sandbox: { ...p.context.policy.sandbox, pids: 100 } };
    expect(await once({ ...p.context, policy: tighter })).toBe(2);
  });
});
