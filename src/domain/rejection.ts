/** Why a proposal or a verdict was rejected: a closed list, so that a reason is never prose alone. */
import { z } from "zod";
import { shortName } from "./identity.ts";

export const rejectionReason = z.enum([
  // collection: what the layer held cannot become a tree
  "name-refused",
  "link-refused",
  "file-refused",
  "nested-repository",
  "layer-too-large",
  // mechanical rules on the proposal
  "no-change",
  "not-writable",
  "protected",
  "patch-too-large",
  "repeated-tree",
  "secret-in-proposal",
  // host-owned evidence
  "tests-failed",
  "tests-forged",
  "test-disappeared",
  "test-newly-skipped",
  "check-failed",
  // the verifier
  "verdict-missing",
  "verdict-late",
  "verdict-killed",
  "verdict-malformed",
  "verdict-contradictory",
  "verdict-not-actionable",
  "verdict-incomplete",
  "verdict-unproven",
  "verdict-unmet",
  "verdict-unresolved",
  "verdict-without-refutation",
  "verdict-reject",
  "verdict-reject-hard",
  // the executor itself
  "executor-memory",
]);
export type RejectionReason = z.infer<typeof rejectionReason>;

/** One finding: what is wrong, where, and what to do about it. `path` is escaped for display. */
export const finding = z.strictObject({
  reason: rejectionReason,
  message: z.string().max(4000),
  path: z.string().max(4200).optional(),
  line: z.number().int().positive().optional(),
  criterion: z.string().optional(),
  test: z.string().max(1000).optional(),
  check: z.string().max(100).optional(),
  by: z.array(shortName).max(9).optional().describe("Of a panel: who said it. The executor is not told."),
  place: z
    .string()
    .max(200)
    .optional()
    .describe("The text of that line without its spacing: what tells the place from its number, which moves."),
});
export type Finding = z.infer<typeof finding>;
