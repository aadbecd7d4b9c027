import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Check, Criterion } from "../../src/domain/brief.ts";
import { runChecks } from "../../src/gate/checks.ts";
import { reportFindings } from "../../src/gate/compare-runs.ts";
import { openRig, type Project, project, type Rig } from "./rig.ts";
import { reportOf } from "./samples.ts";

let rig: Rig;
let p: Project;
beforeAll(async () => {
  rig = await openRig();
  p = await project(
    rig,
    "mkdir -p src; echo 'Math.round(1)' > src/a.mjs; echo 'fine' > src/b.mjs; printf '{}' > package.json",
    { tests: undefined },
  );
});
afterAll(async () => {
  await p?.bench.clean();
  await rig?.close();
});

const secret = "check-7f3a.mjs";
const criterion = (...checks: Check[]): Criterion[] => [{ id: "A1", must: "no caller rounds", checks }];
const base64 = (text: string) => Buffer.from(text).toString("base64");
const check = async (checks: Check[], files: Parameters<Project["tree"]>[0] = {}, sent = {}, tests = {}) =>
  runChecks(p.context, criterion(...checks), sent, await p.tree(files), tests);

describe("a command", () => {
  const run: Check = { run: `node ${secret}`, files: [secret] };
  const script =
    'import { readFileSync } from "node:fs"; process.exit(readFileSync("/workspace/src/a.mjs", "utf8").includes("round") ? 1 : 0);';

  test("passes with exit code 0 on the whole result tree, and fails else", async () => {
    const sent = { [secret]: base64(script) };
    expect(await check([run], { "src/a.mjs": "trunc(1)\n" }, sent)).toMatchObject([
      { id: "A1.1", kind: "run", ok: true, detail: "" },
    ]);
    expect(await check([run], {}, sent)).toMatchObject([{ id: "A1.1", ok: false, detail: "no caller rounds" }]);
  });

  test("that does not end is ended, and fails", async () => {
    const context = {
      ...p.context,
      policy: { ...p.context.policy, budget: { ...p.context.policy.budget, wall: 700 } },
    };
    const results = await runChecks(context, criterion({ run: "sleep 60", files: [] }), {}, p.stage.base.tree, {});
    expect(results).toMatchObject([{ ok: false }]);
  });

  test("has no socket and no network, and cannot change what lies beside it", async () => {
    const probe: Check = {
      run: "test ! -e /run/sallyport/host.sock && test $(ls /sys/class/net | grep -vc lo) = 0 && ! touch /checks/x && ! touch /x",
      files: [],
    };
    expect(await check([probe])).toMatchObject([{ ok: true }]);
  });
});

describe("an absent pattern", () => {
  const absent: Check = { absent: "Math\\.round\\(", in: "src/**" };

  test("passes where no line matches, and says in how many files", async () => {
    expect(await check([absent], { "src/a.mjs": "trunc(1)\n" })).toMatchObject([
      { ok: true, found: [], detail: expect.stringContaining("2 files") },
    ]);
  });

  test("fails with the places, also in a file that the change brought", async () => {
    const [found] = await check([absent], { "src/new.mjs": "\nMath.round(2)\n" });
    expect(found).toMatchObject({
      ok: false,
      found: [
        { path: "src/a.mjs", line: 1 },
        { path: "src/new.mjs", line: 2 },
      ],
    });
  });

  test("of files that never were shows nothing; of files that are gone it holds", async () => {
    expect(await check([{ absent: "x", in: "lib/none.mjs" }])).toMatchObject([
      { ok: false, detail: expect.stringContaining("do not exist") },
    ]);
    expect(await check([{ absent: ".", in: "src/a.mjs" }], { "src/a.mjs": null })).toMatchObject([{ ok: true }]);
  });

  test("is not escaped by a link in the file's place", async () => {
    expect(await check([absent], { "src/a.mjs": { link: "b.mjs" } })).toMatchObject([{ ok: false }]);
  });

  test("that takes for ever fails and harms nobody", async () => {
    const context = {
      ...p.context,
      policy: { ...p.context.policy, budget: { ...p.context.policy.budget, wall: 1500 } },
    };
    const tree = await p.tree({ "src/a.mjs": `${"a".repeat(60)}!\n` });
    const results = await runChecks(context, criterion({ absent: "^(a+)+$", in: "src/**" }), {}, tree, {});
    expect(results).toMatchObject([{ ok: false, detail: expect.stringContaining("did not run to its end") }]);
  });
});

test("a test must be there and pass", async () => {
  const named: Check = { test: "rounds 7f3a" };
  expect(await check([named], {}, {}, { "rounds 7f3a": "passed" })).toMatchObject([{ kind: "test", ok: true }]);
  for (const tests of [{}, { "rounds 7f3a": "failed" }, { "rounds 7f3a": "skipped" }]) {
    expect(await check([named], {}, {}, tests)).toMatchObject([{ ok: false }]);
  }
  expect(await check([{ test: "constructor" }])).toMatchObject([{ ok: false }]);
});

test("what the executor hears of a failed check names no command, file, pattern or test of it", async () => {
  const checks = await check([
    { run: `node ${secret}; exit 1`, files: [] },
    { absent: "round\\(1", in: "src/**" },
    { test: "rounds 7f3a" },
  ]);
  const said = JSON.stringify(reportFindings(reportOf({ checks })));
  expect(checks.map((c) => c.ok)).toEqual([false, false, false]);
  expect(said).toContain("no caller rounds");
  for (const hidden of [secret, "node ", "round\\\\", "7f3a", "src/**"]) expect(said).not.toContain(hidden);
});
