/** Events of the gate itself: its canaries, and whether it is open. */
import { z } from "zod";
import { canaryCaseId, canaryLabel, canarySeed } from "./canary.ts";
import { canaryId, delegationId, imageDigest, sha256, shortName } from "./identity.ts";
import { rejectionReason } from "./rejection.ts";
import { verdict } from "./verdict.ts";

/** What a canary's event says of it: enough to tell the gate's error rates from these lines alone. */
const canaryTurn = {
  case: canaryCaseId,
  label: canaryLabel,
  harness: shortName,
  image: imageDigest,
  policy: shortName,
};

export const gateEvents = {
  "canary.started": z.strictObject({
    ...canaryTurn,
    seed: canarySeed,
    trigger: z.enum(["rate", "operator"]).describe("Drawn after a real verdict, or asked for."),
    after: delegationId.optional().describe("The delegation whose verdict it was drawn after."),
    question: sha256,
    patch: sha256,
    report: sha256,
  }),
  "canary.judged": z.strictObject({
    ...canaryTurn,
    approved: z.boolean().describe("What the host made of the verdict, by the rules for a real one."),
    hard: z.boolean(),
    reasons: z.array(rejectionReason).max(100),
    verdict: verdict.optional().describe("Left out where there was none: then it is a rejection."),
    digest: sha256.optional(),
  }),
  "canary.failed": z.strictObject({ ...canaryTurn, code: z.string(), message: z.string().max(4000) }),
  "gate.closed": z.strictObject({
    by: z.string().max(200).describe("`calibration`, or the operator who closed it."),
    reason: z.string().max(4000),
    canary: canaryId.optional().describe("The known-bad change that was approved."),
  }),
  "gate.opened": z.strictObject({ by: z.string().max(200), reason: z.string().min(1).max(4000) }),
} as const;
