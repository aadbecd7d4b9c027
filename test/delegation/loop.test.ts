import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import type { Event } from "../../src/domain/event.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { mounts } from "../../src/worktree/mount.ts";
import { nodeTest } from "../gate/rig.ts";
import { approval, policyOf } from "../gate/samples.ts";
import { openTheatre, type Theatre } from "./live-loop.ts";
import type { MemoryStore } from "./memory-store.ts";

let theatre: Theatre;
beforeAll(async () => {
  theatre = await openTheatre(
    "export const sum = (a, b) => a - b;\n",
    "mkdir test; echo 'import \"node:test\"' > test/none.test.mjs",
  );
});
afterAll(() => theatre?.close());

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
  record: Delegation;
  state: string;
  reasons: string[];
}

/** A delegation whose executor is a shell script and whose verifier sends one verdict. */
async function live({ verdict, ...life }: Life, abort = new AbortController()): Promise<Lived> {
  const verifiers = { skeptic: `await post(${JSON.stringify(verdict ?? verdictOf())})` };
  const { record, store, reasons } = await theatre.play({ ...life, verifiers }, abort.signal);
  return { store, record, state: record.state, reasons: reasons.flat() };
}

const fix = "echo 'export const sum = (a, b) => a + b;' > src/sum.mjs";
const tested = { tests: { ...nodeTest, evidence: ["test/**"] } };

describe("one delegation on real sandboxes", () => {
  test("a good change is approved; nothing is left of its sandboxes", { timeout: 90_000 }, async () => {
    const { state, record } = await live({ executor: fix, policy: tested });
    expect(state).toBe("approved");
    expect(record.approval?.predicate).toMatchObject({
      delegation: record.id,
      attempt: 1,
      base: theatre.base,
      ref: "refs/heads/main",
    });
    expect((await mounts()).filter((m) => m.path.startsWith(theatre.bench.root))).toEqual([]);
    expect(await readdir(join(theatre.bench.root, "lanes"))).toEqual([]);
  });

  test("feedback reaches the next attempt, which starts from the last proposal", { timeout: 90_000 }, async () => {
    const executor = `if grep -q '"attempt": 1' /brief/brief.json; then echo 'broken' > src/sum.mjs; touch package.json.orig; else
      grep -q 'package.json.orig is outside' /brief/brief.json && test -e package.json.orig && rm package.json.orig && ${fix}; fi`;
    const { state, reasons, record } = await live({ executor });
    expect([state, reasons]).toEqual(["approved", ["not-writable"]]);
    const [first, second] = record.attempts;
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
    const { state, record, reasons } = await live({
      executor: fix,
      policy: { tests: { ...nodeTest, run: "true" } },
    });
    expect([state, reasons]).toEqual(["failed", []]);
    expect(record.attempts).toMatchObject([{ number: 1, failure: { code: "policy-invalid" } }]);
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
    const { state, record } = await live({ executor: "sleep 60" }, abort);
    expect([state, record.attempts.length]).toEqual(["preparing", 1]);
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
