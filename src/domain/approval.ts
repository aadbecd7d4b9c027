/** The approval: an in-toto statement in a DSSE envelope. It names exactly what may land, where, and until when. */
import { z } from "zod";
import { delegationId, imageDigest, objectId, sha256 } from "./identity.ts";

export const approvalPredicateType = "https://sallyport.dev/approval/v1";
export const approvalPayloadType = "application/vnd.in-toto+json";

export const approvalPredicate = z.strictObject({
  repository: z.string().describe("The host repository, by its canonical path."),
  ref: z.string().startsWith("refs/heads/"),
  delegation: delegationId,
  attempt: z.number().int().positive(),
  base: objectId,
  tree: objectId,
  brief: sha256,
  patch: sha256,
  testReport: sha256,
  verdict: sha256,
  policy: sha256,
  images: z.strictObject({
    executor: imageDigest.optional().describe("Left out where the host itself combined the approved briefs of a plan."),
    tester: imageDigest,
    verifier: imageDigest,
  }),
  members: z.array(sha256).min(1).optional().describe("The approvals of the briefs that a plan's whole combines."),
  verifier: z.strictObject({ harness: z.string(), image: imageDigest }),
  panel: z
    .array(
      z.strictObject({
        harness: z.string(),
        image: imageDigest,
        decision: z
          .enum(["approve", "reject", "reject-hard"])
          .describe("As it decided; a verifier without a verdict is not here."),
        verdict: sha256,
      }),
    )
    .optional()
    .describe("The verifiers of a panel, each with its own verdict; `verdict` is that of the whole."),
  replaces: sha256.optional().describe("The digest of the approval that this one carries over to another target."),
  issued: z.iso.datetime(),
  expires: z.iso.datetime(),
});
export type ApprovalPredicate = z.infer<typeof approvalPredicate>;

/** in-toto Statement v1. */
export const approvalStatement = z.strictObject({
  _type: z.literal("https://in-toto.io/Statement/v1"),
  subject: z.array(z.strictObject({ name: z.string(), digest: z.record(z.string(), z.string()) })).length(1),
  predicateType: z.literal(approvalPredicateType),
  predicate: approvalPredicate,
});
export type ApprovalStatement = z.infer<typeof approvalStatement>;

/** DSSE v1 envelope. */
export const envelope = z.strictObject({
  payloadType: z.literal(approvalPayloadType),
  payload: z.base64(),
  signatures: z
    .array(z.strictObject({ keyid: z.string(), sig: z.base64() }))
    .min(1)
    .max(4),
});
export type Envelope = z.infer<typeof envelope>;
