import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestReport } from "../../src/domain/test-report.ts";
import type { BaselineCache } from "../../src/gate/baseline.ts";
import { reportFindings } from "../../src/gate/compare-runs.ts";
import { testProposal } from "../../src/gate/tester.ts";
import { nodeTest, openRig, type Project, project, type Rig } from "./rig.ts";
import { blockOf } from "./testing-page.ts";

const base = `mkdir -p src test
cat > src/sum.mjs <<'END'
export const sum = (a, b) => a - b;
END
cat > test/sum.test.mjs <<'END'
import { test } from "node:test";
import assert from "node:assert";
import { sum } from "../src/sum.mjs";
test("adds nothing", () => assert.equal(sum(1, 0), 1));
test("waits", () => assert.ok(!JSON.parse(process.env.LATE ?? "[]").includes(Number(process.env.TURN))));
END
printf '{"type":"module"}' > package.json`;
const good = { "src/sum.mjs": "export const sum = (a, b) => a + b;\n" };

let rig: Rig;
let p: Project;
beforeAll(async () => {
  rig = await openRig();
  p = await project(rig, base);
});
afterAll(async () => {
  await p?.bench.clean();
  await rig?.close();
});

/** A context whose runs are numbered, and in which the test "waits" fails in the runs of these numbers. */
function numbered(tests: object, late: number[] = []) {
  const purposes: string[] = [];
  let reports = 0;
  const context = {
    ...p.context,
    policy: { ...p.context.policy, tests: { ...nodeTest, ...tests } },
    runRole: (spec: Parameters<typeof rig.run>[0]) => {
      const environment = { ...spec.environment, TURN: String(purposes.length), LATE: JSON.stringify(late) };
      purposes.push(spec.purpose);
      return rig.run({ ...spec, environment });
    },
  };
  const report = async (
    files: Parameters<Project["tree"]>[0],
    cache: BaselineCache = new Map(),
  ): Promise<TestReport> => {
    // As two delegations have: a directory each.
    const place = { ...p.context.place, directory: join(p.context.place.directory, `r${++reports}`) };
    return testProposal({ ...context, place }, await p.tree(files), { criteria: [], checkFiles: {} }, cache);
  };
  return { report, purposes };
}

describe("flaky tests", () => {
  test("red by what is flaky on the base alone, and green once to the end: accepted, and it proves nothing", async () => {
    const { report } = numbered({ repeat: 2 }, [1, 3]);
    const found = await report(good);
    expect(reportFindings(found)).toEqual([]);
    expect(found).toMatchObject({ flaky: ["waits"], passToPass: ["adds nothing"], proposal: { green: true } });
  }, 120_000);

  test("never green to the end: rejected after five runs", async () => {
    const { report, purposes } = numbered({ repeat: 2 }, [1, 2, 3, 4, 5, 6]);
    const found = await report(good);
    expect(purposes.filter((one) => one === "tests: as proposed")).toHaveLength(5);
    expect(reportFindings(found)[0]).toMatchObject({
      reason: "tests-failed",
      message: expect.stringContaining("waits (fails on the base already) (flaky)"),
    });
  }, 120_000);

  test("always green on the base and red once on the proposal: rejected", async () => {
    const { report, purposes } = numbered({ repeat: 2 }, [3]);
    const found = await report(good);
    expect(purposes).toHaveLength(4);
    expect(reportFindings(found).map((f) => f.reason)).toEqual(["tests-failed"]);
    expect(found.flaky).toEqual(["waits"]);
  }, 120_000);
});

describe("the base's run", () => {
  test("is one run when two ask at once, and another for other commands", async () => {
    const cache: BaselineCache = new Map();
    const { report, purposes } = numbered({});
    const onBase = () => purposes.filter((one) => one === "tests: on the base").length;
    const [one, two] = await Promise.all([report(good, cache), report({}, cache)]);
    expect([one.base, one.proposal?.green]).toEqual([two.base, true]);
    expect(onBase()).toBe(1);
    const other = numbered({ repeat: 2 });
    await other.report(good, cache);
    expect(other.purposes.filter((one) => one === "tests: on the base")).toHaveLength(2);
  }, 180_000);
});

describe("what else the report tells", () => {
  test("changed-line coverage, with the block of docs/testing.md", async () => {
    const { report } = numbered(blockOf("node-test, with coverage"));
    const source = "export const sum = (a, b) => a + b;\nexport const unused = () => {\n  return 1;\n};\n";
    const found = await report({ "src/sum.mjs": source });
    expect(reportFindings(found)).toEqual([]);
    expect(found.coverage).toMatchObject({ uncovered: [{ path: "src/sum.mjs", lines: [3] }] });
    expect(found.coverage?.lines).toBe(4);
  }, 120_000);

  test("a test that looks renamed, and configuration that was put back", async () => {
    const { report } = numbered({});
    const found = await report({
      ...good,
      "vitest.config.mjs": "export default {};\n",
      "test/sum.test.mjs": `import { test } from "node:test";
import assert from "node:assert";
import { sum } from "../src/sum.mjs";
test("nothing is added", () => assert.equal(sum(1, 0), 1));
test("waits", () => assert.ok(!JSON.parse(process.env.LATE ?? "[]").includes(Number(process.env.TURN))));
`,
    });
    expect(found).toMatchObject({
      disappeared: ["adds nothing"],
      renamed: [{ from: "adds nothing", to: "nothing is added" }],
      putBack: [{ path: "vitest.config.mjs", why: "configuration of a test runner" }],
    });
  }, 120_000);

  test("planted files load nothing where the base cannot be tested so", async () => {
    const open = await project(
      rig,
      `${base}\necho 'if (process.argv[1]?.includes("z")) setInterval(() => {}, 1000);' >> src/sum.mjs`,
    );
    try {
      const context = { ...open.context, policy: { ...open.context.policy, tests: { ...nodeTest, wall: 12_000 } } };
      const tree = await open.tree({ "src/sum.mjs": "export const sum = (a, b) => a + b;\n" });
      const found = await testProposal(context, tree, { criteria: [], checkFiles: {} }, new Map());
      expect(reportFindings(found)).toEqual([]);
    } finally {
      await open.bench.clean();
    }
  }, 120_000);
});
