/**
 * Every event the ledger can hold. State is a fold over these, so an event says all that the fold needs; what is
 * large is kept by digest beside the ledger.
 */
import { z } from "zod";
import { anchorEvents } from "./anchor.ts";
import { approvalPredicate, envelope } from "./approval.ts";
import { checkFiles, settledBrief } from "./brief.ts";
import { gateEvents } from "./event-gate.ts";
import { sandbox, sandboxEnd, sandboxEvents } from "./event-sandbox.ts";
import { imageDigest, missionId, objectId, planId, sha256, shortName, subjectId } from "./identity.ts";
import { missionEnd, missionText, permittedNames, plannerPurpose } from "./mission.ts";

import { planBriefId, planEnd, planFinding, planPart, settledPlan } from "./plan.ts";
import { policy } from "./policy.ts";
import { finding } from "./rejection.ts";
import { stuckDetector, stuckSeen } from "./stuck.ts";
import { testReport } from "./test-report.ts";
import { verdict } from "./verdict.ts";

const attempt = z.number().int().positive();
/** Where a brief names several executors: each with its image. */
const candidates = z
  .array(z.strictObject({ executor: shortName, image: imageDigest }))
  .min(1)
  .max(8)
  .optional();
const images = z.strictObject({
  executor: imageDigest.optional().describe("Left out where no executor works: a plan's combined whole."),
  tester: imageDigest,
  verifier: imageDigest,
});

/** The key that the planner gave with its request, and what it asked for. */
const idempotency = z.strictObject({ key: z.string(), request: sha256 }).optional();

const judge = z.strictObject({ harness: shortName, image: imageDigest });
const accepted = z.strictObject({
  repository: z.string(),
  base: objectId,
  ref: z.string(),
  planner: z.string(),
  brief: settledBrief,
  checkFiles,
  policy,
  policyDigest: sha256,
  briefDigest: sha256,
  images,
  candidates,
  panel: z.array(judge).min(2).max(9).optional().describe("The verifiers, where the policy asks several."),
  plan: planPart.optional(),
  idempotency,
});
/** A brief of a plan that was admitted: all of its delegation but where it starts from. */
const admitted = accepted.omit({ base: true, plan: true, idempotency: true });
export type Admitted = z.infer<typeof admitted>;

/** A proposal: the tree that the host built out of a layer, in quarantine, with its patch. */
export const proposal = z.strictObject({
  attempt,
  commit: objectId,
  tree: objectId,
  patch: sha256,
  patchBytes: z.number().int().nonnegative(),
  changes: z.array(z.strictObject({ path: z.string(), kind: z.enum(["added", "modified", "deleted"]) })),
  ignored: z.number().int().nonnegative().describe("Files dropped because the base's ignore rules exclude them."),
});
export type Proposal = z.infer<typeof proposal>;

export type SandboxEnd = z.infer<typeof sandboxEnd>;
export { sandboxEnd };

export const events = {
  "host.started": z.strictObject({ version: z.string(), keyid: z.string(), pid: z.number().int() }),
  "host.stopped": z.strictObject({ reason: z.string() }),
  "host.cleared": z.strictObject({
    trees: z.number().int().nonnegative().describe("How many base trees."),
    proposals: z.array(z.string().max(200)).max(1000).describe("Whose objects: the delegation and the attempt."),
    images: z.array(z.string().max(200)).max(1000),
  }),
  recovered: z.strictObject({ what: z.string(), kept: z.string().optional() }),
  "segment.closed": z.strictObject({
    segment: z.number().int(),
    lines: z.number().int(),
    keyid: z.string(),
    signature: z.string(),
  }),

  "delegation.accepted": accepted,
  "delegation.refused": z.strictObject({ planner: z.string(), code: z.string(), message: z.string() }),
  "delegation.started": z.strictObject({ lane: z.number().int().nonnegative() }),
  "executor.chosen": z.strictObject({
    attempt,
    executor: shortName,
    image: imageDigest,
    reasons: z.array(z.string().max(500)).min(1).max(20),
  }),
  "attempt.started": z.strictObject({ attempt, from: objectId.describe("The tree the layer starts from.") }),
  "attempt.executed": z.strictObject({ attempt, end: sandboxEnd }),
  "attempt.failed": z.strictObject({ attempt, code: z.string(), message: z.string() }),
  "attempt.rejected": z.strictObject({
    attempt,
    by: z.enum(["host", "verifier"]),
    hard: z.boolean(),
    findings: z.array(finding).min(1),
    notes: z.array(finding).optional().describe("What the verifier said that does not reject."),
    tree: objectId.optional(),
    fingerprint: sha256.optional().describe("What the findings are about, without prose and line numbers."),
  }),
  "proposal.collected": z.strictObject({ proposal }),
  "tests.reported": z.strictObject({ attempt, report: testReport, digest: sha256 }),
  "verdict.received": z.strictObject({
    attempt,
    verdict,
    digest: sha256,
    member: judge
      .optional()
      .describe("Of a panel: whose it is. Left out: the only verifier's, or the panel's as a whole."),
  }),
  "delegation.approved": z.strictObject({ attempt, approval: envelope, digest: sha256, predicate: approvalPredicate }),
  "landing.asked": z.strictObject({
    ref: z.string(),
    turn: z.number().int().positive().describe("Landings that wait are taken in this order, after a restart too."),
    after: z.array(subjectId).max(1000).describe("Who waits for the same target before it."),
  }),
  "landing.refused": z.strictObject({ code: z.string(), message: z.string().max(8000) }),
  "landing.merged": z.strictObject({
    attempt,
    ref: z.string().describe("Where it is to land."),
    onto: objectId.describe("The commit that it is merged with: the target's tip."),
    commit: objectId.describe("The merge, in quarantine: the one commit on `onto`."),
    tree: objectId,
    patch: sha256.describe("From the tree of `onto` to `tree`."),
    patchBytes: z.number().int().nonnegative(),
    overlap: z.array(z.string().max(4200)).max(100).describe("Paths of the proposal that changed on the target too."),
    verify: z.boolean().describe("Whether the verifier is asked about this diff; else the old verdict is carried."),
  }),
  "landing.tested": z.strictObject({ attempt, report: testReport, digest: sha256 }),
  "landing.verified": z.strictObject({
    attempt,
    verdict,
    digest: sha256,
    panel: z
      .array(z.strictObject({ ...judge.shape, verdict }))
      .max(9)
      .optional()
      .describe("Of a panel: what each said; `verdict` is then that of the whole."),
  }),
  "landing.intended": z.strictObject({
    attempt,
    approval: sha256,
    ref: z.string(),
    from: objectId.nullable(),
    commit: objectId,
  }),
  "landing.abandoned": z.strictObject({
    reason: z.string(),
    rejected: z.boolean().optional().describe("The merge was found wanting: the same one is not judged again."),
  }),
  "delegation.landed": z.strictObject({ ref: z.string(), commit: objectId, approval: sha256 }),
  "action.intended": z.strictObject({
    action: shortName,
    run: z.number().int().positive(),
    approval: sha256,
    commit: objectId,
    image: imageDigest,
    again: z.boolean().describe("A person's word that it may be done once more."),
  }),
  "action.ended": z.strictObject({
    action: shortName,
    run: z.number().int().positive(),
    outcome: z.enum(["done", "failed", "unknown"]).describe("`unknown`: nobody saw its end."),
    exit: z.number().int().nullable(),
    message: z.string().max(4000),
  }),
  "delegation.rejected": z.strictObject({ hard: z.boolean(), message: z.string() }),
  "stuck.detected": z.strictObject({
    sandbox,
    attempt,
    detector: stuckDetector,
    why: z.string().max(1000),
    seen: stuckSeen,
  }),
  "delegation.stuck": z.strictObject({
    attempt,
    reason: z.string(),
    by: z.enum(["executor", "host"]).optional().describe("Whose word the reason is: the executor's is a claim."),
  }),
  "stuck.escalated": z.strictObject({
    to: z.enum(["planner", "person"]),
    dossier: sha256,
    bytes: z.number().int().positive(),
  }),
  "delegation.over-budget": z.strictObject({ attempt, what: z.string() }),
  "delegation.discarded": z.strictObject({ by: z.string() }),
  "delegation.failed": z.strictObject({ code: z.string(), message: z.string() }),
  "delegation.bisected": z.strictObject({
    attempt,
    culprits: z
      .array(planBriefId)
      .describe("The briefs of the plan that are red together; none where only the whole is."),
    runs: z.number().int().nonnegative(),
    message: z.string().max(4000),
  }),

  "delegation.held": z.strictObject({ attempt, reason: z.string().max(4000) }),
  "delegation.released": z.strictObject({ attempt }),
  "plan.accepted": z.strictObject({
    repository: z.string(),
    base: objectId,
    ref: z.string(),
    planner: z.string(),
    plan: settledPlan,
    findings: z.array(planFinding).describe("What the lint found and let pass."),
    briefs: z.array(z.strictObject({ id: planBriefId, delegation: subjectId, admitted })),
    combined: z.strictObject({ delegation: subjectId, admitted }),
    mission: missionId.optional().describe("The mission that a planner harness made it for."),
    idempotency,
  }),
  "plan.conflicted": z.strictObject({
    brief: planBriefId.optional().describe("The brief that cannot start; left out: the combined whole."),
    between: z.array(planBriefId).min(1),
    paths: z.array(z.string().max(4200)).max(100),
  }),
  "plan.mended": z.strictObject({
    brief: planBriefId,
    plan: settledPlan.describe("The plan with the mended brief."),
    delegation: subjectId.describe("The one that runs it, in place of the one that is stuck."),
    admitted,
    combined: admitted,
    findings: z.array(planFinding),
  }),
  "plan.unmended": z.strictObject({ brief: planBriefId, why: z.string().max(4000) }),
  "plan.approved": z.strictObject({ approval: sha256 }),
  "plan.landed": z.strictObject({ ref: z.string(), commit: objectId }),
  "plan.ended": z.strictObject({ state: planEnd, message: z.string().max(8000) }),
  "plan.discarded": z.strictObject({ by: z.string() }),

  "mission.accepted": z.strictObject({
    mission: missionText,
    repository: z.string(),
    base: objectId,
    ref: z.string(),
    planner: z.string(),
    harness: shortName,
    image: imageDigest,
    policy,
    policyDigest: sha256,
    permitted: permittedNames.describe("What its plan may name."),
    plan: planId.describe("The id that its plan will have."),
  }),
  "planner.started": z.strictObject({ turn: attempt, purpose: plannerPurpose }),
  "planner.refused": z.strictObject({ turn: attempt, code: z.string(), message: z.string().max(8000) }),
  "planner.ended": z.strictObject({
    turn: attempt,
    end: sandboxEnd.optional().describe("Left out where no sandbox came to be, or a crash cut it."),
    message: z.string().max(4000),
  }),
  "mission.reported": z.strictObject({ by: z.enum(["planner", "host"]), text: z.string().max(40_000) }),
  "mission.ended": z.strictObject({ state: missionEnd, message: z.string().max(8000) }),

  ...anchorEvents,
  ...gateEvents,
  ...sandboxEvents,
} as const;

export type EventType = keyof typeof events;
export type EventData<T extends EventType> = z.infer<(typeof events)[T]>;

/** An event before it has its place in the chain. */
export type Event = { [T in EventType]: { type: T; delegation?: string; data: EventData<T> } }[EventType];
/** An event with its place in the chain: one line of the ledger. */
export type Entry = Event & { seq: number; time: string; prev: string; hash: string };

const eventTypes = Object.keys(events) as [EventType, ...EventType[]];

/** The envelope of a ledger line; `data` is checked against `events[type]`. */
export const entryEnvelope = z.strictObject({
  seq: z.number().int().nonnegative(),
  time: z.iso.datetime(),
  delegation: subjectId.optional(),
  type: z.enum(eventTypes),
  data: z.unknown(),
  prev: sha256,
  hash: sha256,
});
