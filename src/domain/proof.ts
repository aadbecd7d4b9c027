/** The proof pack: all that is needed to check one decision again, in one file. Schema only. docs/proof.md explains it. */
import { z } from "zod";
import { envelope } from "./approval.ts";
import { delegationId, planId, sha256, subjectId } from "./identity.ts";

export const proofPayloadType = "application/vnd.sallyport.proof+json";

/** The most bytes that a pack may have, before it is written as base64. */
export const proofBytesMax = 128 * 1024 ** 2;

/** The file: a DSSE v1 envelope around the pack. */
export const proofEnvelope = envelope.extend({ payloadType: z.string().max(200) });
export type ProofEnvelope = z.infer<typeof proofEnvelope>;

export const proofPack = z.strictObject({
  version: z.literal(1),
  made: z.iso.datetime(),
  host: z.strictObject({
    version: z.string().max(100),
    keyid: sha256,
    publicKey: z.string().max(1000).describe("The host's public half, as PEM (SPKI)."),
  }),
  subject: z.strictObject({
    id: subjectId.describe("What was asked for: a delegation, or a plan."),
    state: z.string().max(40).describe("What became of it, by the lines below."),
    delegations: z.array(delegationId).min(1).max(1000).describe("Whose lines are in: with a plan's whole, its parts."),
    plan: planId.optional(),
  }),
  ledger: z.strictObject({
    head: z.strictObject({ seq: z.number().int().nonnegative(), hash: sha256 }).describe("When it was exported."),
    lines: z
      .array(z.string())
      .min(1)
      .max(500_000)
      .describe("The subject's lines as they stand in the ledger, and the lines that close segments after the first."),
  }),
  patches: z.record(sha256, z.base64()).describe("By their digests: those that the host still has."),
});
export type ProofPack = z.infer<typeof proofPack>;

/** What became of one claim. `not-provable` says why; it is no failure. */
export interface Claim {
  /** Stable, such as `line 12 hash` or `approval 3f2a… tree`. */
  claim: string;
  outcome: "proved" | "not-provable" | "failed";
  why: string;
}
