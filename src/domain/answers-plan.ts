/** What the HTTP API answers about plans, missions, policies, executors and the gate. Schema only. */
import { z } from "zod";
import { delegationAnswer } from "./answers.ts";
import { entryEnvelope, events } from "./event.ts";
import { canaryId, imageDigest, missionId, planId, sha256, shortName, subjectId } from "./identity.ts";
import { missionEnd, plannerPurpose } from "./mission.ts";
import { planBriefId, planFinding } from "./plan.ts";
import { planStates } from "./plan-record.ts";
import { policy } from "./policy.ts";

const time = z.iso.datetime();
const count = z.number().int().nonnegative();

export const planAnswer = z
  .strictObject({
    id: planId,
    state: z.enum(planStates),
    reason: z.string().exactOptional(),
    title: z.string(),
    repository: z.string(),
    base: z.string(),
    ref: z.string(),
    accepted: time,
    updated: time,
    findings: z.array(planFinding),
    briefs: z.array(
      z.strictObject({
        id: planBriefId,
        title: z.string(),
        after: z.array(z.string()),
        delegation: subjectId,
        state: z.string().describe("Of its delegation; `waiting` before it has one."),
        attempts: count,
        reason: z.string().exactOptional(),
      }),
    ),
    conflicts: z.array(events["plan.conflicted"]),
    asks: z.strictObject({ brief: planBriefId, delegation: subjectId }).exactOptional(),
    combined: z.strictObject({
      delegation: subjectId,
      state: z.string(),
      reason: z.string().exactOptional(),
      culprits: z.array(z.string()).exactOptional(),
      asked: z.string().exactOptional().describe("The branch that it is being landed on, or waits to be."),
      notLanded: events["landing.refused"].extend({ ref: z.string() }).exactOptional(),
    }),
    approval: sha256.exactOptional(),
    landed: events["plan.landed"].exactOptional(),
  })
  .meta({ id: "Plan" });

export const missionAnswer = z
  .strictObject({
    id: missionId,
    state: z.enum(["planning", ...planStates, ...missionEnd.options]),
    rests: z.boolean().describe("Whether the host has nothing more to do by itself."),
    reason: z.string().exactOptional(),
    mission: z.string(),
    repository: z.string(),
    base: z.string(),
    ref: z.string(),
    harness: z.string(),
    policy: z.string(),
    accepted: time,
    updated: time,
    turns: z.array(
      z.strictObject({
        number: z.number().int().positive(),
        purpose: plannerPurpose,
        started: time,
        end: events["planner.ended"].shape.end.unwrap().exactOptional(),
        message: z.string().exactOptional(),
        refused: z.array(z.string()),
        ended: z.boolean(),
        milliseconds: z.number().nonnegative().exactOptional(),
        requests: count,
      }),
    ),
    plan: planAnswer.exactOptional(),
    report: events["mission.reported"].exactOptional(),
  })
  .meta({ id: "Mission" });

const next = z.string().exactOptional().describe("Where there are older ones: ask with `before` this id.");
export const delegationsAnswer = z.strictObject({ delegations: z.array(delegationAnswer), next });
export const plansAnswer = z.strictObject({ plans: z.array(planAnswer), next });
export const missionsAnswer = z.strictObject({ missions: z.array(missionAnswer), next });

export const idAnswer = z.strictObject({ id: subjectId });
export const planAccepted = z.strictObject({ id: planId, findings: z.array(planFinding) });
export const stateAnswer = z.strictObject({ id: subjectId, state: z.string() });
export const landedAnswer = z.strictObject({
  id: subjectId,
  state: z.literal("landed"),
  ref: z.string().describe("The branch that was moved."),
  commit: z.string(),
  approval: z.string(),
  beside: z
    .strictObject({ ref: z.string(), worktree: z.string(), command: z.string() })
    .exactOptional()
    .describe("Where the branch that was asked for is checked out: how its owner takes over what landed beside it."),
  merged: z
    .strictObject({ onto: z.string(), verdict: z.enum(["carried", "anew"]), replaces: z.string() })
    .exactOptional(),
});
export const verifiedAnswer = z.strictObject({
  id: subjectId,
  state: z.literal("approved"),
  approval: z.string(),
  expires: z.string(),
});
export const actedAnswer = z.strictObject({ ...events["action.ended"].shape, id: subjectId });

const policyView = z.union([
  z.strictObject({
    name: z.string(),
    visible: z.array(z.string()).readonly(),
    writable: z.array(z.string()).readonly(),
    protected: z.array(z.string()).readonly(),
    network: z.array(z.string()),
    models: z.array(z.string()),
    budget: policy.shape.budget,
    tests: z
      .strictObject({
        run: z.string(),
        report: z.string(),
        evidence: z.array(z.string()).readonly(),
        image: z.string().exactOptional(),
      })
      .exactOptional(),
    verifier: policy.shape.verifier,
  }),
  z.strictObject({ name: z.string(), error: z.strictObject({ code: z.string(), message: z.string() }) }),
]);
export const policiesAnswer = z.strictObject({ policies: z.array(policyView) });

const share = z.number().min(0).max(1);
const rate = z.strictObject({ count, of: count, rate: share.optional(), low: share, high: share });
const trackRecord = z.strictObject({
  executor: z.string(),
  model: z.string(),
  kind: z.string(),
  delegations: count,
  firstTry: rate,
  retry: rate,
  approved: rate,
  stuck: rate,
  overBudget: rate,
  rejections: z.strictObject({ host: count, tests: count, verifier: count }),
  protectedPaths: count,
  denials: count,
  tokens: count,
  microusd: count,
  list: count,
  costPerApproved: z.number().optional(),
  listPerApproved: z.number().optional(),
  listPerDelegation: z.number(),
  medianMilliseconds: z.number().optional(),
});
export const executorsAnswer = z.strictObject({
  since: z.string().exactOptional(),
  records: z.array(trackRecord).describe("By executor, model and kind of work."),
  totals: z.array(trackRecord).describe("By executor."),
});

const closed = z.strictObject({ since: time, by: z.string(), reason: z.string(), canary: canaryId.exactOptional() });
const errorRate = z.strictObject({ count, of: count, rate: share.optional(), low: share, high: share });
export const gateAnswer = z.strictObject({
  open: z.boolean(),
  closed: closed.exactOptional(),
  opened: z.strictObject({ time, by: z.string(), reason: z.string() }).exactOptional(),
  rate: z.number(),
  window: count,
  warn: z.number(),
  warnings: z.array(z.string()),
  verifiers: z.array(
    z.strictObject({
      harness: shortName,
      image: imageDigest,
      policy: shortName,
      canaries: count,
      since: time,
      until: time,
      falseApproval: errorRate,
      falseRejection: errorRate,
      wrong: z.record(z.string(), count),
    }),
  ),
  failed: count,
  waiting: count,
  held: z.array(subjectId),
});
export const openAnswer = z.strictObject({ open: z.boolean() });
export const canariesAnswer = z.strictObject({ canaries: z.array(canaryId) });

/** One line of the ledger. */
export const entryAnswer = entryEnvelope.meta({ id: "Entry" });
export const canaryAnswer = z.strictObject({
  id: canaryId,
  state: z.enum(["waiting", "running", "judged", "failed"]),
  event: entryAnswer.exactOptional(),
});
