/** What the host saw when it ran the tests and the checks itself. */
import { z } from "zod";
import { objectId } from "./identity.ts";

export const testStatus = z.enum(["passed", "failed", "skipped"]);

/** One run of the policy's test command on one tree. */
export const testRun = z.strictObject({
  tree: objectId,
  exit: z.number().int().nullable().describe("null: it was ended by the host"),
  ended: z.enum(["exit", "timeout", "output", "memory", "failed"]),
  milliseconds: z.number().int().nonnegative(),
  tests: z.record(z.string(), testStatus).describe("By test id; empty where only the exit code is known."),
  green: z.boolean(),
  forged: z.string().optional().describe("Why the run's report is not believed."),
  tail: z.string().describe("The last output, escaped: a claim of the code under test."),
});
export type TestRun = z.infer<typeof testRun>;

export const checkResult = z.strictObject({
  id: z.string().describe("`<criterion>.<n>`, such as A1.1"),
  criterion: z.string(),
  kind: z.enum(["run", "absent", "test"]),
  ok: z.boolean(),
  /** Where an `absent` pattern was found. */
  found: z
    .array(z.strictObject({ path: z.string(), line: z.number().int().positive() }))
    .max(20)
    .default([]),
  detail: z.string().max(2000).default(""),
});
export type CheckResult = z.infer<typeof checkResult>;

export const testReport = z.strictObject({
  tested: z.boolean().describe("false: the policy names no tests"),
  base: testRun.optional(),
  proposal: testRun.optional().describe("The result tree as it is: only this tree can land."),
  proven: testRun.optional().describe("The result tree with the base's evidence files put back."),
  failToPass: z.array(z.string()),
  passToPass: z.array(z.string()),
  broken: z.array(z.string()).describe("Passed on the base, fail now, and the brief does not name them."),
  disappeared: z.array(z.string()),
  newlySkipped: z.array(z.string()),
  unproven: z.array(z.string()).describe("New tests that pass without the change too: they prove nothing."),
  checks: z.array(checkResult),
  flaky: z.array(z.string()).optional().describe("Did not end the same each time on one tree: they prove nothing."),
  renamed: z
    .array(z.strictObject({ from: z.string(), to: z.string() }))
    .optional()
    .describe("Tests that disappeared, and new ones that look like them. A hint, no excuse."),
  putBack: z
    .array(z.strictObject({ path: z.string(), why: z.string() }))
    .optional()
    .describe("Changed configuration, scripts, lockfiles, hooks and the like: the base's were used in the second run."),
  notes: z.array(z.string()).optional().describe("What the planner may want to know; never a reason to reject."),
  coverage: z
    .strictObject({
      lines: z.number().int().nonnegative().describe("Lines that the patch adds and that a tool could measure."),
      covered: z.number().int().nonnegative(),
      uncovered: z.array(z.strictObject({ path: z.string(), lines: z.array(z.number().int().positive()) })),
    })
    .optional()
    .describe("A claim of the code under test: never a reason to approve."),
});
export type TestReport = z.infer<typeof testReport>;
