import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runDelegation } from "../../src/delegation/loop.ts";
import type { LoopTools } from "../../src/delegation/tools.ts";
import type { Event } from "../../src/domain/event.ts";
import type { HarnessFile } from "../../src/domain/harness.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { digestValue } from "../../src/gate/digest.ts";
import { type HostKey, loadHostKey } from "../../src/gate/keys.ts";
import { openHostRepository } from "../../src/worktree/host-repository.ts";
import { mounts } from "../../src/worktree/mount.ts";
import { openQuarantine } from "../../src/worktree/quarantine.ts";
import { nodeTest, openRig, type Rig } from "../gate/rig.ts";
import { approval, policyOf } from "../gate/samples.ts";
import { type Bench, bench, commit } from "../worktree/fixture.ts";
import { briefOf, freshId } from "./approved.ts";
import { type MemoryStore, memoryStore } from "./memory-store.ts";

let rig: Rig;
let b: Bench;
let base: string;
let key: HostKey;
let image: string;
beforeAll(async () => {
  rig = await openRig();
  b = await bench();
  base = await commit(
    b.repo,
    "mkdir src test; echo 'import \"node:test\"' > test/none.test.mjs; echo 'export const sum = (a, b) => a - b;' > src/sum.mjs; printf '{}' > package.json",
  );
  key = await loadHostKey(join(b.root, "keys"));
  image = await rig.image("base");
});
afterAll(async () => {
  await b?.clean();
  await rig?.close();
});

const feedback = [{ path: "src/sum.mjs", line: 1, what: "It overflows.", why: "Large numbers." }];
const verdictOf = (change: object = {}) => ({
  ...approval(change),
  criteria: [{ id: "A1", status: "met", evidence: [{ path: "src/sum.mjs", line: 1 }], why: "it adds" }],
  ...change,
});

interface Life {
  executor: string;
  verdict?: object;
  policy?: Partial<Policy>;
  /** Events between `delegation.accepted` and the start: what a crash left. */
  before?: Event[];
}

interface Lived {
  store: MemoryStore;
  id: string;
  state: string;
  reasons: string[];
}

/** A delegation whose executor is a shell script and whose verifier sends one verdict. */
async function live(life: Life, abort = new AbortController()): Promise<Lived> {
  const store = memoryStore();
  const id = freshId();
  const send = `await fetch("http://127.0.0.1:3128/verdict", { method: "POST", headers: { "content-type": "application/json" }, body: ${JSON.stringify(JSON.stringify(life.verdict ?? verdictOf()))} })`;
  const commands: Record<string, string[]> = {
    scripted: ["/bin/sh", "-c", life.executor],
    skeptic: ["node", "--input-type=module", "-e", send],
  };
  const harness = (name: string): HarnessFile => ({
    name,
    roles: ["executor", "verifier"],
    description: "",
    command: commands[name] ?? ["false"],
    environment: {},
    files: [],
    smoke: ["true"],
  });
  const tools: LoopTools = {
    record: store.record,
    append: store.append,
    note: store.note,
    subscribe: store.subscribe,
    delegations: () => [store.record(id)],
    // The rig keeps what a sandbox's life adds to the ledger; here it counts for the budget.
    runRole: async (run) => {
      const from = rig.events.length;
      const result = await rig.run(run);
      for (const event of rig.events.slice(from)) if (event.delegation === id) store.note(event);
      return result;
    },
    loadHarness: async (name) => harness(name),
    openRepository: openHostRepository,
    openQuarantine: (repository) => openQuarantine({ directory: join(b.root, "quarantine"), repository }),
    directories: { trees: join(b.root, "trees"), lanes: join(b.root, "lanes") },
    baselines: new Map(),
    key,
    now: () => new Date(),
    secrets: { known: () => false, mask: async (text) => text, contains: async () => [] },
  };
  const policy = policyOf(life.policy);
  const brief = briefOf({ accept: [{ id: "A1", must: "it adds", checks: [] }] });
  const data = {
    repository: b.repo,
    base,
    ref: "refs/heads/main",
    planner: "default",
    brief,
    checkFiles: {},
    policy,
    policyDigest: digestValue(policy),
    briefDigest: digestValue(brief),
    images: { executor: image, tester: image, verifier: image },
  };
  await store.append({ type: "delegation.accepted", delegation: id, data });
  for (const event of life.before ?? []) await store.append({ ...event, delegation: id });
  await runDelegation(id, 0, tools, abort.signal);
  const record = store.record(id);
  const reasons = record.attempts.flatMap((a) => a.rejection?.findings.map((f) => f.reason) ?? []);
  return { store, id, state: record.state, reasons };
}

const fix = "echo 'export const sum = (a, b) => a + b;' > src/sum.mjs";
const tested = { tests: { ...nodeTest, evidence: ["test/**"] } };

describe("one delegation on real sandboxes", () => {
  test("a good change is approved; nothing is left of its sandboxes", { timeout: 90_000 }, async () => {
    const { state, store, id } = await live({ executor: fix, policy: tested });
    expect(state).toBe("approved");
    expect(store.record(id).approval?.predicate).toMatchObject({
      delegation: id,
      attempt: 1,
      base,
      ref: "refs/heads/main",
    });
    expect((await mounts()).filter((m) => m.path.startsWith(b.root))).toEqual([]);
    expect(await readdir(join(b.root, "lanes"))).toEqual([]);
  });

  test("feedback reaches the next attempt, which starts from the last proposal", { timeout: 90_000 }, async () => {
    const executor = `if grep -q '"attempt": 1' /brief/brief.json; then echo 'broken' > src/sum.mjs; touch package.json.orig; else
      grep -q 'package.json.orig is outside' /brief/brief.json && test -e package.json.orig && rm package.json.orig && ${fix}; fi`;
    const { state, reasons, store, id } = await live({ executor });
    expect([state, reasons]).toEqual(["approved", ["not-writable"]]);
    const [first, second] = store.record(id).attempts;
    expect(second?.from).toBe(first?.proposal?.tree);
  });

  test.each<[string, Life, string, string[]]>([
    [
      "nothing changed",
      { executor: "true", policy: { budget: { ...policyOf().budget, attempts: 1 } } },
      "rejected",
      ["no-change"],
    ],
    [
      "a protected path",
      { executor: "mkdir .github; echo x > .github/ci.yml", policy: { budget: { ...policyOf().budget, attempts: 1 } } },
      "rejected",
      ["protected"],
    ],
    [
      "the same tree again: stuck, not another attempt",
      { executor: fix, verdict: verdictOf({ decision: "reject", feedback }) },
      "stuck",
      ["verdict-reject", "repeated-tree"],
    ],
    [
      "rejected hard: no other attempt",
      { executor: fix, verdict: verdictOf({ decision: "reject-hard", feedback }) },
      "rejected-hard",
      ["verdict-reject-hard"],
    ],
    ["its own word that it is stuck", { executor: `${fix}; report stuck "no idea"; sleep 60` }, "stuck", []],
    ["too long", { executor: "sleep 60", policy: { budget: { ...policyOf().budget, wall: 1500 } } }, "over-budget", []],
    ["too loud", { executor: "yes" }, "over-budget", []],
  ])("%s", { timeout: 90_000 }, async (_, life, state, reasons) => {
    const lived = await live(life);
    expect([lived.state, lived.reasons]).toEqual([state, reasons]);
  });

  test("a policy whose tests cannot be run ends it at once, and blames nobody's proposal", {
    timeout: 90_000,
  }, async () => {
    const { state, store, id, reasons } = await live({
      executor: fix,
      policy: { tests: { ...nodeTest, run: "true" } },
    });
    expect([state, reasons]).toEqual(["failed", []]);
    expect(store.record(id).attempts).toMatchObject([{ number: 1, failure: { code: "policy-invalid" } }]);
  });

  test("tests run on the whole base, also where the executor is given a part of it", { timeout: 90_000 }, async () => {
    const filesystem = { visible: ["src/**"], writable: ["src/**"], protected: [] };
    const executor = `test ! -e test && test ! -e package.json && ${fix}`;
    const whole = { ...nodeTest, run: `test -e package.json && ${nodeTest.run}` };
    const { state, reasons } = await live({ executor, policy: { filesystem, tests: whole } });
    expect([state, reasons]).toEqual(["approved", []]);
  });

  test("a stop ends it as discarded", { timeout: 90_000 }, async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort("discarded"), 2500);
    expect((await live({ executor: "sleep 60" }, abort)).state).toBe("discarded");
  });

  test("a shutdown cuts the attempt, and the delegation can go on", { timeout: 90_000 }, async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort("shutdown"), 2500);
    const { state, store, id } = await live({ executor: "sleep 60" }, abort);
    expect([state, store.record(id).attempts.length]).toEqual(["preparing", 1]);
  });
});

describe("after a crash between a rejection and what follows from it", () => {
  const cut = (
    finding: { reason: "verdict-reject-hard" | "repeated-tree"; message: string },
    hard: boolean,
  ): Event[] => [
    { type: "delegation.started", data: { lane: 0 } },
    { type: "attempt.started", data: { attempt: 1, from: "0".repeat(40) } },
    { type: "attempt.executed", data: { attempt: 1, end: "exit" } },
    { type: "attempt.rejected", data: { attempt: 1, by: "verifier", hard, findings: [finding] } },
  ];

  test("a hard rejection stays one: no other attempt is made", async () => {
    const { state, store } = await live({
      executor: fix,
      before: cut({ reason: "verdict-reject-hard", message: "no" }, true),
    });
    expect(state).toBe("rejected-hard");
    expect(store.types().filter((type) => type === "attempt.started")).toHaveLength(1);
  });

  test("a repeated tree stays stuck", async () => {
    const { state } = await live({ executor: fix, before: cut({ reason: "repeated-tree", message: "again" }, false) });
    expect(state).toBe("stuck");
  });
});
