import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import { withSetup } from "../../src/gate/setup.ts";
import { runTests } from "../../src/gate/test-run.ts";
import { mounts } from "../../src/worktree/mount.ts";
import { nodeTest, openRig, type Project, project, type Rig } from "./rig.ts";

let rig: Rig;
let p: Project;
beforeAll(async () => {
  rig = await openRig();
  p = await project(rig, "mkdir test; printf '{}' > package.json");
});
afterAll(async () => {
  await p?.bench.clean();
  await rig?.close();
});

const setupContext = (setup: string | undefined, change: object = {}) => {
  const tests = { ...nodeTest, ...change, ...(setup ? { setup } : {}) };
  const record = {
    id: p.context.delegation,
    attempts: [],
    policy: { ...p.context.policy, tests },
    images: { tester: p.context.image },
  };
  const directory = join(p.bench.root, "lane");
  return {
    record: record as unknown as Delegation,
    base: p.stage.base,
    directory,
    runRole: rig.run,
    signal: p.context.signal,
  };
};

test("what the setup made lies under every run, and one run's changes to it not under the next", async () => {
  await withSetup(setupContext("mkdir deps && echo one > deps/lib && rm package.json"), async (setup) => {
    const place = { ...p.context.place, setup };
    const look = (run: string) =>
      runTests({ ...p.context, place }, { run, report: "exit", evidence: [] }, "look", p.stage.base.tree);
    expect(await look("test $(cat deps/lib) = one && test ! -e package.json && echo two > deps/lib")).toMatchObject({
      green: true,
    });
    expect(await look("test $(cat deps/lib) = one")).toMatchObject({ green: true });
  });
  expect((await mounts()).filter((m) => m.path.startsWith(p.bench.root))).toEqual([]);
});

test("a setup that fails is the policy's fault, with its last words", async () => {
  const used = () => Promise.reject(new Error("used"));
  await expect(withSetup(setupContext("echo no such package >&2; exit 3"), used)).rejects.toMatchObject({
    code: "policy-invalid",
    message: expect.stringMatching(/ended with 3: no such package/),
  });
  await expect(withSetup(setupContext("sleep 60", { wall: 700 }), used)).rejects.toMatchObject({
    code: "policy-invalid",
    message: expect.stringContaining("timeout"),
  });
  expect((await mounts()).filter((m) => m.path.startsWith(p.bench.root))).toEqual([]);
});

test("without one nothing runs", async () => {
  const before = rig.events.length;
  expect(await withSetup(setupContext(undefined), async (setup) => setup.length)).toBe(0);
  expect(rig.events.length).toBe(before);
});
