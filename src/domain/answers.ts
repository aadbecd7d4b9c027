/** What the HTTP API answers. Schema only; a test compares each with the type that the house uses, and with a daemon's real answers. */

import { z } from "zod";
import { anchorStatus } from "./anchor.ts";
import { plannerRights } from "./config.ts";
import { states } from "./delegation.ts";
import { type ErrorCode, errorCodes } from "./error.ts";
import { events } from "./event.ts";
import { imageDigest, objectId, role, sha256, shortName, subjectId } from "./identity.ts";
import { stuckDetector } from "./stuck.ts";
import { testReport } from "./test-report.ts";
import { verdict } from "./verdict.ts";

const time = z.iso.datetime();
const count = z.number().int().nonnegative();
const attempt = z.number().int().positive();

export const errorAnswer = z
  .strictObject({
    error: z.strictObject({
      code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]).describe("docs/errors.md lists them."),
      message: z.string(),
      next: z.string().describe("What to do now."),
      at: z.string().exactOptional().describe("File and position of the cause."),
    }),
  })
  .meta({ id: "Error" });

const head = z.strictObject({ seq: count, hash: sha256 });
const closed = z.strictObject({
  since: time,
  by: z.string(),
  reason: z.string(),
  canary: z.string().exactOptional(),
});

export const statusAnswer = z.strictObject({
  version: z.string(),
  pid: z.number().int(),
  instance: z.string(),
  state: z.string().describe("The state directory."),
  planner: z.string(),
  rights: plannerRights.describe("What the caller's planner may name."),
  lanes: count,
  running: z.array(z.string()).describe("What runs; a planner is told its own."),
  waiting: z.array(z.string()),
  landing: z.array(z.strictObject({ id: subjectId, ref: z.string(), waiting: z.boolean() })),
  head: head.describe("The ledger's last durable line."),
  anchors: z.array(anchorStatus).exactOptional().describe("Where heads are handed to; planners are not told."),
  gate: z.strictObject({ open: z.boolean(), closed: closed.exactOptional() }),
});

const totals = { requests: count, tokens: count, microusd: count, list: count, inexact: count };
export const spend = z.partialRecord(
  role,
  z.strictObject({ ...totals, attempts: z.record(z.string().regex(/^\d+$/), z.strictObject(totals)) }),
);
export const reservations = z.record(
  z.string(),
  z.strictObject({ sandbox: z.string(), role, attempt: count, tokens: count, microusd: count, list: count }),
);
const merged = z.strictObject({
  ...events["landing.merged"].shape,
  report: testReport.exactOptional(),
  reportDigest: sha256.exactOptional(),
  verdict: verdict.exactOptional(),
  verdictDigest: sha256.exactOptional(),
  panel: events["landing.verified"].shape.panel,
});

const attemptAnswer = z.strictObject({
  number: attempt,
  from: objectId,
  executor: z.string(),
  model: z.string().exactOptional(),
  others: z.array(z.string()).exactOptional(),
  end: z.string().exactOptional(),
  proposal: events["proposal.collected"].shape.proposal.exactOptional(),
  report: testReport.exactOptional(),
  reportDigest: sha256.exactOptional(),
  verdict: verdict.exactOptional(),
  verdictDigest: sha256.exactOptional(),
  panel: z.array(z.strictObject({ harness: shortName, image: imageDigest, verdict, digest: sha256 })).exactOptional(),
  rejection: events["attempt.rejected"].omit({ attempt: true, tree: true }).exactOptional(),
  failure: z.strictObject({ code: z.string(), message: z.string() }).exactOptional(),
});

const actionRun = z.strictObject({
  ...events["action.intended"].shape,
  intended: time,
  outcome: events["action.ended"].shape.outcome.exactOptional(),
  exit: z.number().int().nullable().exactOptional(),
  message: z.string().exactOptional(),
});

export const delegationAnswer = z
  .strictObject({
    ...events["delegation.accepted"].shape,
    id: subjectId,
    state: z.enum(states),
    accepted: time,
    updated: time,
    attempts: z.array(attemptAnswer),
    approval: events["delegation.approved"].exactOptional(),
    approvals: z
      .array(
        z.strictObject({
          digest: sha256,
          ref: z.string(),
          base: z.string(),
          verdict: z.string(),
          issued: z.string(),
          expires: z.string(),
          replaces: z.string().exactOptional(),
        }),
      )
      .exactOptional(),
    actions: z.array(actionRun).exactOptional(),
    asked: events["landing.asked"].exactOptional(),
    notLanded: events["landing.refused"].extend({ ref: z.string() }).exactOptional(),
    preparing: merged.exactOptional(),
    prepared: merged.exactOptional(),
    refusedMerges: z.array(z.strictObject({ onto: z.string(), tree: z.string(), reason: z.string() })).exactOptional(),
    intent: events["landing.intended"].exactOptional(),
    landed: events["delegation.landed"].exactOptional(),
    bisected: events["delegation.bisected"].exactOptional(),
    reason: z.string().exactOptional(),
    denials: count,
    denied: z.array(z.strictObject({ method: z.string(), url: z.string(), code: z.string(), rule: z.string(), count })),
    executor: z.string(),
    held: z.string().exactOptional(),
    detected: z.strictObject({ attempt, detector: stuckDetector, why: z.string() }).exactOptional(),
    stuckBy: z.enum(["executor", "host"]).exactOptional(),
    sandboxes: z.array(
      z.strictObject({
        id: z.string(),
        role,
        attempt: count,
        started: time,
        milliseconds: z.number().nonnegative().exactOptional(),
        end: z.string().exactOptional(),
        requests: count,
        denied: count,
      }),
    ),
    spend,
    reservations,
  })
  .meta({ id: "Delegation" });

const amounts = {
  requests: count,
  modelRequests: count,
  tokens: count,
  microusd: count,
  list: count,
  saved: count,
  inexact: count,
  milliseconds: z.number().nonnegative(),
};
export const costAnswer = z.strictObject({
  tiers: z.array(
    z.strictObject({
      tier: z.enum(["plan", "execute", "test", "verify"]),
      ...amounts,
      rejected: z.strictObject(amounts).describe("Of that, what went into attempts that were not approved."),
    }),
  ),
  total: z.strictObject({ ...amounts, rejected: z.strictObject(amounts) }),
});
