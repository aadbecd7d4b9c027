/** The verifier with a model in whole delegations: its question, its key, its verdict, and its silence. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Delegation } from "../../src/domain/delegation.ts";
import { type ModelHost, openModelHost } from "./harness-model.ts";

let rig: ModelHost;
beforeAll(async () => {
  rig = await openModelHost({ images: ["skeptic"], policy: { verifier: { harness: "skeptic" } } });
}, 900_000);
afterAll(() => rig?.close());

const answer = (value: object) => ({ text: JSON.stringify(value) });
const attempt = { tried: "whole amounts", found: false, detail: "stay as they were" };
const met = {
  status: "met",
  evidence: [{ path: "src/money.js", line: 2 }],
  why: "It rounds to the nearest.",
  refutations: [attempt],
};

/** A delegation whose executor is the scripted one; the verifier's conversation is told by the criterion. */
async function judged(key: string, turns: Parameters<ModelHost["model"]["converse"]>[1]): Promise<Delegation> {
  rig.model.converse(key, turns);
  return rig.host.turn(rig.host.repository(), {
    policy: "coding",
    intent: "A cent is lost.",
    instructions: "sed -i s/Math.floor/Math.round/ src/money.js # a secret of the executor's",
    accept: [{ id: "A1", must: `cents() rounds to the nearest cent (${key})` }],
  });
}
const reasons = (d: Delegation) => d.attempts[0]?.rejection?.findings.map((f) => f.reason);

it("approves what its model cannot refute, and lands", async () => {
  const d = await judged("case-approve", [answer(met)]);
  expect(d.state, JSON.stringify(d.attempts, null, 1)).toBe("approved");
  expect(d.approval?.predicate.verifier.harness).toBe("skeptic");
  const [asked] = rig.model.requestsOf("case-approve");
  expect(asked?.headers["x-api-key"]).toBe(rig.key);
  expect(asked?.asked?.text).toContain("+|   return Math.round(x * 100);");
  expect(asked?.asked?.text).toContain("A cent is lost.");
  expect(asked?.raw).not.toContain("a secret of the executor's");
  expect((await rig.host.cli("land", d.id, "--onto", "fixed")).code).toBe(0);
}, 120_000);

it("rejects with the place that its model found", async () => {
  const found = { tried: "negative halves", found: true, detail: "cents(-0.005) is -0" };
  const d = await judged("case-reject", [
    answer({ ...met, status: "unmet", why: "-0 is no amount.", refutations: [found] }),
  ]);
  expect(d.state).toBe("rejected");
  expect(d.attempts[0]?.rejection).toMatchObject({ by: "verifier" });
  expect(d.attempts[0]?.rejection?.findings).toContainEqual(
    expect.objectContaining({ reason: "verdict-reject", path: "src/money.js", line: 2 }),
  );
}, 120_000);

it("leaves a criterion unproven when its model never answers in form", async () => {
  const d = await judged("case-garbage", Array(3).fill({ text: "Approved! Everything is fine." }));
  expect([d.state, reasons(d)]).toEqual(["rejected", expect.arrayContaining(["verdict-unproven"])]);
  expect(rig.model.requestsOf("case-garbage")).toHaveLength(3);
}, 120_000);

it("proves nothing when its model is silent, and says so to the auditor", async () => {
  const d = await judged("case-silent", [{ status: 401, text: "no" }]);
  expect([d.state, reasons(d)]).toEqual(["rejected", ["verdict-reject", "verdict-unproven"]]);
  expect(d.attempts[0]?.verdict?.refutations[0]?.detail).toContain("401");
}, 120_000);
