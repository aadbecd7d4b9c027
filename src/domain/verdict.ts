/** What a verifier answers. The verdict is typed; no prose is ever read for a decision. docs/verifier.md is its page. */
import { z } from "zod";

const text = (max: number) => z.string().trim().min(1).max(max);

/** A pointer the host resolves: a line that the diff shows, a test of the report, or a check of the report. */
export const evidence = z.union([
  z.strictObject({
    path: text(4096).describe("A file of the diff."),
    line: z.number().int().positive().describe("A line that the diff shows of it, by its number in the result."),
    side: z
      .literal("old")
      .optional()
      .describe("`old`: a removed line, by its number in the base. Left out: a line of the result."),
  }),
  z.strictObject({ test: text(1000).describe("A test of the report, by its id.") }),
  z.strictObject({ check: text(64).describe("A check of the report, by its id, such as A1.1.") }),
]);
export type Evidence = z.infer<typeof evidence>;

/** One attempt to refute the change. */
export const refutation = z.strictObject({
  tried: text(2000).describe("What was tried."),
  how: z.string().max(4000).optional().describe("How it was tried."),
  found: z.boolean().describe("Whether it found something against the change."),
  detail: z.string().max(4000).default("").describe("What came out."),
});
export type Refutation = z.infer<typeof refutation>;

/** One thing to mend: where, what, and why. */
export const feedback = z.strictObject({
  path: z
    .string()
    .max(4096)
    .optional()
    .describe("A file of the diff, or one where a check found something. Left out: the whole change."),
  line: z.number().int().positive().optional().describe("A line that the diff shows of that file."),
  what: text(2000).describe("What is wrong, so that whoever mends it knows what to change."),
  why: text(2000).describe("Why it is wrong: what goes wrong with it."),
  blocking: z
    .boolean()
    .optional()
    .describe("In a review of a delta: that this must be mended although the code has not changed since."),
  because: text(2000).optional().describe("Why it is blocking. Needed with `blocking`."),
});
export type Feedback = z.infer<typeof feedback>;

export const verdict = z.strictObject({
  decision: z
    .enum(["approve", "reject", "reject-hard"])
    .describe("`reject`: mend it by the feedback. `reject-hard`: no other attempt is to be made."),
  criteria: z
    .array(
      z.strictObject({
        id: z.string().max(16),
        status: z.enum(["met", "unmet", "unproven"]),
        evidence: z.array(evidence).max(50),
        why: text(4000),
      }),
    )
    .max(50)
    .describe("One answer for each criterion of the question."),
  refutations: z
    .array(refutation)
    .max(100)
    .describe("Each attempt to refute: what was tried, how, and whether it found something."),
  feedback: z.array(feedback).max(50).default([]).describe("What is to be mended. A rejection needs some."),
});
export type Verdict = z.infer<typeof verdict>;

/** The verdict's form as JSON Schema (draft 2020-12), for harnesses and people. */
export function verdictJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(verdict, { io: "input" }), title: "Sallyport verdict" };
}
