/** The state machine of actions, and what is checked before a sandbox is asked for. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ActTools, act, closeActions } from "../../src/delegation/act.ts";
import { landDelegation } from "../../src/delegation/decide.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { type HostKey, loadHostKey } from "../../src/gate/keys.ts";
import { digest, oid, policyOf } from "../gate/samples.ts";
import { type Approved, approved } from "./approved.ts";
import { codeOf, type Target, target } from "./target.ts";

let t: Target;
let key: HostKey;
const actions: Policy["actions"] = {
  push: { on: "landed", run: "true", mount: "none" },
  look: { on: "approved", run: "true", mount: "none" },
};
beforeAll(async () => {
  t = await target();
  key = await loadHostKey(join(t.root, "keys"));
});
afterAll(() => t?.clean());

let branches = 0;
async function ready(landed = true): Promise<Approved & { act: (name: string, again?: boolean) => Promise<string> }> {
  branches += 1;
  const ref = `refs/heads/b${branches}`;
  const a = await approved(t.root, t.repo, key, { ref, policy: policyOf({ actions }) });
  if (landed) await landDelegation(a.id, ref, a.tools);
  const tools: ActTools = { ...a.tools, findImage: async () => `sha256:${digest("7")}` };
  const signal = new AbortController().signal;
  return { ...a, act: (name, again = false) => codeOf(act(a.id, name, again, tools, signal)) };
}
const intended = (a: Approved, change: object = {}) =>
  codeOf(
    a.store.append({
      type: "action.intended",
      delegation: a.id,
      data: {
        action: "push",
        run: 1,
        approval: a.store.record(a.id).approval?.digest ?? "",
        commit: oid("c"),
        image: `sha256:${digest("7")}`,
        again: false,
        ...change,
      },
    }),
  );
const ended = (a: Approved, change: object = {}) =>
  codeOf(
    a.store.append({
      type: "action.ended",
      delegation: a.id,
      data: { action: "push", run: 1, outcome: "done", exit: 0, message: "", ...change },
    }),
  );

test("where the sandbox is lost its outcome is unknown, and it is not done again by itself", async () => {
  const a = await ready();
  expect(await a.act("push")).toBe("action-failed");
  expect(a.store.record(a.id).actions).toMatchObject([{ action: "push", outcome: "unknown" }]);
  expect(a.store.record(a.id).state).toBe("landed");
  expect(await a.act("push")).toBe("action-refused");
  expect(await a.act("push", true)).toBe("action-failed");
  expect(a.store.record(a.id).actions?.map(({ run, again }) => [run, again])).toEqual([
    [1, false],
    [2, true],
  ]);
});

test("nothing begins of what is not landed, not in the policy, or not as it was approved", async () => {
  const a = await ready(false);
  expect(await a.act("push")).toBe("action-refused");
  for (const name of ["deploy", "constructor", "__proto__"]) expect(await a.act(name)).toBe("action-refused");
  expect(a.store.types()).not.toContain("action.intended");
  expect(await a.act("look")).toBe("action-failed");
  const b = await ready();
  const swapped = { ...b.store.record(b.id), brief: { ...b.store.record(b.id).brief, intent: "Another." } };
  const tools: ActTools = { ...b.tools, record: () => swapped, findImage: async () => `sha256:${digest("7")}` };
  expect(await codeOf(act(b.id, "push", false, tools, new AbortController().signal))).toBe("approval-invalid");
  const moved = structuredClone(b.store.record(b.id));
  if (moved.landed) moved.landed.commit = b.base;
  const other: ActTools = { ...tools, record: () => moved };
  expect(await codeOf(act(b.id, "push", false, other, new AbortController().signal))).toBe("approval-invalid");
  expect(b.store.types()).not.toContain("action.intended");
});

test("the ledger takes no run out of order, under another approval, or twice", async () => {
  const a = await ready();
  for (const wrong of [{ action: "deploy" }, { run: 2 }, { approval: digest("a") }, { action: "constructor" }])
    expect([wrong, await intended(a, wrong)]).toEqual([wrong, "state-refused"]);
  expect(await ended(a)).toBe("state-refused");
  expect(await intended(a)).toBe("done");
  expect(await intended(a, { run: 2, again: true })).toBe("state-refused");
  expect(await ended(a, { run: 2 })).toBe("state-refused");
  expect(await ended(a)).toBe("done");
  expect(await ended(a)).toBe("state-refused");
  expect(await intended(a, { run: 2 })).toBe("state-refused");
  expect(await intended(a, { run: 2, again: true })).toBe("done");
  await closeActions(a.store.record(a.id), a.tools);
  expect(a.store.record(a.id).actions?.map(({ outcome }) => outcome)).toEqual(["done", "unknown"]);
  const early = await ready(false);
  expect(await intended(early)).toBe("state-refused");
});
