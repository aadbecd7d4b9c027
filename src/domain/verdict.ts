/** What a verifier answers. The verdict is typed; no prose is ever read for a decision. */
import { z } from "zod";

const text = (max: number) => z.string().trim().min(1).max(max);

/** A pointer the host resolves: a line of the diff's new side, a test of the report, or a check of the report. */
export const evidence = z.union([
  z.strictObject({ path: text(4096), line: z.number().int().positive() }),
  z.strictObject({ test: text(1000) }),
  z.strictObject({ check: text(64) }),
]);
export type Evidence = z.infer<typeof evidence>;

export const verdict = z.strictObject({
  decision: z.enum(["approve", "reject", "reject-hard"]),
  criteria: z
    .array(
      z.strictObject({
        id: z.string().max(16),
        status: z.enum(["met", "unmet", "unproven"]),
        evidence: z.array(evidence).max(50),
        why: text(4000),
      }),
    )
    .max(50),
  refutations: z
    .array(z.strictObject({ tried: text(2000), found: z.boolean(), detail: z.string().max(4000).default("") }))
    .max(100)
    .describe("Each attempt to refute: what was tried, and whether it found something."),
  feedback: z
    .array(
      z.strictObject({
        path: z.string().max(4096).optional(),
        line: z.number().int().positive().optional(),
        what: text(2000),
        why: text(2000),
      }),
    )
    .max(50)
    .default([]),
});
export type Verdict = z.infer<typeof verdict>;
