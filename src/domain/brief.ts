/** The brief: what a planner writes for one delegation. Schema only. */
import { z } from "zod";
import { shortName } from "./identity.ts";
import { networkRule, pathPattern, settledBudget, settledLanding, writtenBudget, writtenLanding } from "./policy.ts";
import { settledStuck, writtenStuck } from "./stuck.ts";

const text = (max: number) => z.string().trim().min(1).max(max);

/** A check of the planner's, run by the host on the whole result tree. The executor never sees it. */
export const check = z.union([
  z.strictObject({
    run: text(2000).describe(
      "A command, run beside the result tree in a sandbox without a socket; exit code 0 passes.",
    ),
    files: z
      .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "a plain file name"))
      .max(32)
      .default([])
      .describe("Files beside the brief that the command needs; they lie in its working directory."),
  }),
  z.strictObject({
    absent: text(1000).describe("An ECMAScript regular expression that no line may match."),
    in: pathPattern.describe("The files it is looked for in."),
  }),
  z.strictObject({ test: text(1000).describe("The id of a test that must be there and pass.") }),
]);
export type Check = z.infer<typeof check>;

export const criterion = z.strictObject({
  id: z.string().regex(/^[A-Z][A-Z0-9]{0,7}$/, "expected an id such as A1"),
  must: text(2000),
  checks: z.array(check).max(32).default([]),
});
export type Criterion = z.infer<typeof criterion>;

const executors = z
  .union([shortName, z.array(shortName).min(1).max(8)])
  .refine((e) => typeof e === "string" || new Set(e).size === e.length, { message: "two executors have the same name" })
  .describe("The harness that executes; or several, from which the host picks by their track records.");
/** The executors that a brief names, in its order. */
export function candidatesOf(brief: { executor: string | readonly string[] }): readonly string[] {
  return typeof brief.executor === "string" ? [brief.executor] : brief.executor;
}

/** A criterion as the ledger holds it: in a plan's combined whole it carries its brief's id too, such as `B1-A1`. */
const settledCriterion = criterion.extend({
  id: z.string().regex(/^(?:[A-Z][A-Z0-9]{0,5}-)?[A-Z][A-Z0-9]{0,7}$/, "expected an id such as A1 or B1-A1"),
});

/** The title of a brief or a plan: a commit's first line. */
export const title = z
  .string()
  .trim()
  .min(3)
  .max(120)
  .regex(/^[^\p{Cc}\p{Cf}]*$/u, "one line, without control characters");

/** The fields of a brief, in the units and with the criteria of one of its forms. */
export const briefFields = (
  budget: typeof writtenBudget | typeof settledBudget,
  criteria: typeof criterion | typeof settledCriterion,
) =>
  z.strictObject({
    title,
    intent: text(10_000).describe("What this is for. The verifier sees it."),
    instructions: text(50_000).describe("How to go about it. Only the executor sees it."),
    accept: z.array(criteria).min(1).max(50),
    executor: executors,
    policy: shortName.describe("The operator's policy; the lines below may only narrow it."),
    writable: z.array(pathPattern).max(256).optional(),
    visible: z.array(pathPattern).max(256).optional(),
    network: z.array(networkRule).max(500).optional(),
    models: z.array(shortName).max(20).optional(),
    secrets: z
      .array(shortName)
      .max(100)
      .optional()
      .describe("The policy's secrets that this work may use. Left out: all that its rules and routes name."),
    budget: budget.partial().optional(),
    stuck: (budget === writtenBudget ? writtenStuck : settledStuck).partial().optional(),
    actions: z
      .array(shortName)
      .max(100)
      .optional()
      .describe("The policy's actions that may be done with this work. Left out: all of them."),
    landing: (budget === writtenBudget ? writtenLanding : settledLanding).optional(),
    breaks: z.array(text(1000)).max(200).default([]).describe("Base tests that this change is meant to break, by id."),
  });

/** Whether no two criteria have the same id. */
export const distinctCriteria = (b: { accept: readonly { id: string }[] }) =>
  new Set(b.accept.map((a) => a.id)).size === b.accept.length;
const twice = { message: "two acceptance criteria have the same id", path: ["accept"] };

/** A brief as it is written. */
export const brief = briefFields(writtenBudget, criterion).refine(distinctCriteria, twice);
/** A brief once it is read: what the ledger holds. */
export const settledBrief = briefFields(settledBudget, settledCriterion).refine(distinctCriteria, twice);
export type Brief = z.infer<typeof brief>;

/** The files that a brief's checks name, by file name, as base64: they travel with the brief. */
export const checkFiles = z.record(z.string(), z.base64().max(1_400_000));
