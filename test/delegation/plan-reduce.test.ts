/** The folds of plans and missions: what may follow what, and what a plan does next. */
import { describe, expect, it } from "vitest";
import { stepMission } from "../../src/delegation/mission-reduce.ts";
import { inOrder, nextStep } from "../../src/delegation/plan-advance.ts";
import { stepPlan } from "../../src/delegation/plan-reduce.ts";
import { step } from "../../src/delegation/reduce.ts";
import type { Dated } from "../../src/delegation/refuse-event.ts";
import type { Delegation, State } from "../../src/domain/delegation.ts";
import type { EventData } from "../../src/domain/event.ts";
import { plan as planSchema } from "../../src/domain/plan.ts";
import type { PlanRecord } from "../../src/domain/plan-record.ts";
import { policyOf } from "../gate/samples.ts";
import { briefOf, images } from "./approved.ts";

const id = "p-aaaaaaaaaaaaaaaa";
const hex = (digit: string) => digit.repeat(64);
const oid = (digit: string) => digit.repeat(40);
const at = "2026-03-01T12:00:00.000Z";
const delegations = { B1: "d-bbbbbbbbbbbbbbbb", B2: "d-cccccccccccccccc", B3: "d-dddddddddddddddd" };
const whole = "d-eeeeeeeeeeeeeeee";

const plan = planSchema.parse({
  title: "All of it",
  intent: "why",
  briefs: [
    { id: "B1", after: [] },
    { id: "B2", after: ["B1"] },
    { id: "B3", after: [] },
  ].map((brief) => ({ ...briefOf({ title: `Work of ${brief.id}` }), ...brief, accept: [{ id: "A1", must: "it is" }] })),
});
const admitted = {
  repository: "/r",
  ref: "refs/heads/main",
  planner: "default",
  brief: briefOf(),
  checkFiles: {},
  policy: policyOf(),
  policyDigest: hex("a"),
  briefDigest: hex("b"),
  images,
};
const data: EventData<"plan.accepted"> = {
  repository: "/r",
  base: oid("1"),
  ref: "refs/heads/main",
  planner: "default",
  plan,
  findings: [],
  briefs: Object.entries(delegations).map(([brief, delegation]) => ({ id: brief, delegation, admitted })),
  combined: { delegation: whole, admitted },
};
const event = (type: string, more: object, delegation = id) => ({ type, delegation, time: at, data: more }) as Dated;
const accepted = stepPlan(undefined, event("plan.accepted", data)) as PlanRecord;

const record = (delegation: string, state: State, more: Partial<Delegation> = {}): Delegation => ({
  ...admitted,
  base: oid("1"),
  id: delegation,
  state,
  accepted: at,
  updated: at,
  attempts: [],
  sandboxes: [],
  spend: {},
  reservations: {},
  denials: 0,
  denied: [],
  executor: "scripted",
  ...more,
});
const next = (states: Partial<Record<keyof typeof delegations | "whole", State>>, change: Partial<PlanRecord> = {}) => {
  const known = new Map(
    Object.entries(states).map(([brief, state]) => {
      const name = brief === "whole" ? whole : delegations[brief as keyof typeof delegations];
      const approval = { digest: hex("c") } as NonNullable<Delegation["approval"]>;
      return [name, record(name, state, state === "approved" ? { approval } : { reason: `it is ${state}` })];
    }),
  );
  return nextStep({ ...accepted, ...change }, (name) => known.get(name));
};

describe("the fold of plans", () => {
  it("takes each decision once, in its order", () => {
    expect(() => stepPlan(accepted, event("plan.accepted", data))).toThrow(/not possible now/);
    expect(() => stepPlan(undefined, event("plan.approved", { approval: hex("c") }))).toThrow(/unknown/);
    expect(() => stepPlan(accepted, event("plan.landed", { ref: "r", commit: oid("2") }))).toThrow(/running/);
    const approved = stepPlan(accepted, event("plan.approved", { approval: hex("c") }));
    expect(() => stepPlan(approved, event("plan.approved", { approval: hex("c") }))).toThrow(/approved/);
    expect(() => stepPlan(approved, event("plan.ended", { state: "failed", message: "x" }))).toThrow(/approved/);
    const landed = stepPlan(approved, event("plan.landed", { ref: "r", commit: oid("2") }));
    expect(landed?.state).toBe("landed");
    expect(() => stepPlan(landed, event("plan.discarded", { by: "x" }))).toThrow(/landed/);
  });

  it("never lets a brief of a plan begin to land; the same delegation without a plan may", () => {
    const approval = { digest: hex("c"), predicate: { ref: "refs/heads/main" } } as NonNullable<Delegation["approval"]>;
    const intent = { attempt: 1, approval: hex("c"), ref: "refs/heads/main", from: null, commit: oid("2") };
    const landing = event("landing.intended", intent, delegations.B1);
    const alone = record(delegations.B1, "approved", { approval });
    expect(step(alone, landing)?.intent).toEqual(intent);
    const member = { ...alone, plan: { id, root: oid("1"), brief: "B1" } };
    expect(() => step(member, landing)).toThrow(/a part of p-aaaaaaaaaaaaaaaa/);
    const combines = [{ brief: "B1", delegation: delegations.B1, commit: oid("3"), approval: hex("d") }];
    expect(step({ ...alone, plan: { id, root: oid("1"), combines } }, landing)?.intent).toEqual(intent);
  });
});

describe("what a plan does next", () => {
  it("starts what comes after nothing first, in the order in which it is written", () => {
    expect(inOrder([...plan.briefs].reverse()).map((brief) => brief.id)).toEqual(["B3", "B1", "B2"]);
    expect(next({})).toMatchObject({ is: "start", brief: { id: "B1" } });
    expect(next({ B1: "executing" })).toMatchObject({ is: "start", brief: { id: "B3" } });
    expect(next({ B1: "executing", B3: "testing" })).toBeUndefined();
    expect(next({ B1: "approved", B3: "testing" })).toMatchObject({ is: "start", brief: { id: "B2" } });
  });

  it("combines when all are approved, and follows the whole to its end", () => {
    const all = { B1: "approved", B2: "approved", B3: "approved" } as const;
    expect(next(all)).toEqual({ is: "combine" });
    expect(next({ ...all, whole: "testing" })).toBeUndefined();
    expect(next({ ...all, whole: "approved" })).toEqual({ is: "approved", approval: hex("c") });
    expect(next({ ...all, whole: "rejected" })).toMatchObject({ is: "ended", state: "rejected" });
    expect(next({ ...all, whole: "approved" }, { state: "approved" })).toBeUndefined();
    expect(next(all, { conflicts: [{ between: ["B1", "B3"], paths: ["x"] }] })).toMatchObject({
      is: "ended",
      message: expect.stringContaining("what B1 and B3 made does not merge: conflict in x"),
    });
  });

  it("waits for what runs, then ends with the gravest, and names what was never started and what is kept", () => {
    expect(next({ B1: "stuck", B3: "executing" })).toBeUndefined();
    const ended = next({ B1: "stuck", B3: "approved" });
    expect(ended).toMatchObject({ is: "ended", state: "stuck" });
    expect(ended).toMatchObject({ message: expect.stringMatching(/B1 is stuck.*never started: B2.*kept .*: B3/) });
    expect(next({ B1: "failed", B3: "rejected" })).toMatchObject({ state: "rejected" });
    expect(next({ B1: "over-budget", B3: "rejected" })).toMatchObject({ state: "over-budget" });
  });

  it("gives up every delegation of a plan that is discarded, and nothing starts any more", () => {
    const discarded = { state: "discarded" as const };
    expect(next({ B1: "executing" }, discarded)).toEqual({ is: "discard", delegation: delegations.B1 });
    expect(next({ B1: "discarded", B3: "approved" }, discarded)).toEqual({ is: "discard", delegation: delegations.B3 });
    expect(next({ B1: "discarded", B3: "rejected" }, discarded)).toBeUndefined();
  });
});

describe("the fold of missions", () => {
  const mission = "m-aaaaaaaaaaaaaaaa";
  const on = (type: string, more: object) => event(type, more, mission);
  const begun = stepMission(
    undefined,
    on("mission.accepted", {
      mission: "do it",
      repository: "/r",
      base: oid("1"),
      ref: "refs/heads/main",
      planner: "default",
      harness: "scripted",
      image: images.executor,
      policy: policyOf(),
      policyDigest: hex("a"),
      permitted: { executors: [], policies: [] },
      plan: id,
    }),
  );
  it("counts turns in order, keeps what was refused and spent, and ends once", () => {
    const turn = stepMission(begun, on("planner.started", { turn: 1, purpose: "plan" }));
    expect(() => stepMission(begun, on("planner.started", { turn: 2, purpose: "plan" }))).toThrow(/turn 0/);
    const sandbox = "s-aaaaaaaaaaaaaaaa";
    const steps: [string, object][] = [
      ["sandbox.started", { sandbox, attempt: 1, role: "planner" }],
      ["request", { sandbox, decision: "deny" }],
      ["planner.refused", { turn: 1, code: "plan-invalid", message: "no" }],
      ["sandbox.ended", { sandbox, milliseconds: 1500, end: "exit" }],
      ["planner.ended", { turn: 1, end: "exit", message: "no plan" }],
    ];
    const done = steps.reduce((record, [type, more]) => stepMission(record, on(type, more)), turn);
    expect(done?.turns).toEqual([
      expect.objectContaining({ requests: 1, milliseconds: 1500, refused: ["no"], ended: true }),
    ]);
    expect(() => stepMission(done, on("planner.ended", { turn: 1, message: "again" }))).toThrow();
    const ended = stepMission(done, on("mission.ended", { state: "stuck", message: "x" }));
    for (const type of ["mission.ended", "mission.reported"])
      expect(() => stepMission(ended, on(type, { state: "stuck", message: "x" }))).toThrow(/ended/);
    expect(() => stepMission(ended, on("planner.started", { turn: 2, purpose: "plan" }))).toThrow(/over/);
  });
});
