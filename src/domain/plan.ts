/** The plan: several briefs with their order, and one verdict on all of them together. Schema only. */
import { z } from "zod";
import { briefFields, criterion, distinctCriteria, title } from "./brief.ts";
import { objectId, planId, sha256, shortName, subjectId } from "./identity.ts";
import { settledBudget, writtenBudget } from "./policy.ts";

const text = (max: number) => z.string().trim().min(1).max(max);

/** The name of a brief in its plan. Short, so that `B1-A1` is an id for its criterion in the combined whole. */
export const planBriefId = z.string().regex(/^[A-Z][A-Z0-9]{0,5}$/, "expected an id such as B1");

/** The most criteria of a plan with those of its briefs: one verdict answers them all. */
export const mostCriteria = 50;

function planOf(budget: typeof writtenBudget | typeof settledBudget) {
  const member = briefFields(budget, criterion)
    .extend({
      id: planBriefId,
      after: z
        .array(planBriefId)
        .max(31)
        .default([])
        .describe("Briefs of this plan whose approved trees this one starts from."),
    })
    .refine(distinctCriteria, { message: "two acceptance criteria have the same id", path: ["accept"] });
  return z
    .strictObject({
      title,
      intent: text(10_000).describe("What all of it is for. The verifier of the combined whole sees it."),
      briefs: z.array(member).min(1).max(32),
      accept: z.array(criterion).max(mostCriteria).default([]).describe("Criteria of the combined whole alone."),
      policy: shortName
        .optional()
        .describe("The policy whose tests and verifier judge the combined whole; left out: the one of all briefs."),
      budget: budget
        .pick({ wall: true, requests: true, tokens: true, usd: true })
        .partial()
        .optional()
        .describe(
          "What all of it may spend. Wall time and requests of the briefs must fit in it as they are written; tokens and money are counted on it while they run, verifiers' too.",
        ),
    })
    .refine((p) => new Set(p.briefs.map((b) => b.id)).size === p.briefs.length, {
      message: "two briefs have the same id",
      path: ["briefs"],
    })
    .refine((p) => p.accept.length + p.briefs.reduce((sum, b) => sum + b.accept.length, 0) <= mostCriteria, {
      message: `more than ${mostCriteria} acceptance criteria in all: one verdict answers them together`,
      path: ["briefs"],
    })
    .refine(distinctCriteria, { message: "two acceptance criteria have the same id", path: ["accept"] });
}
/** A plan as it is written. */
export const plan = planOf(writtenBudget);
/** A plan once it is read: what the ledger holds. */
export const settledPlan = planOf(settledBudget);
export type Plan = z.infer<typeof plan>;
export type PlanBrief = Plan["briefs"][number];

/** A rule of the lint. docs/planning.md says why each is there. */
export const planRule = z.enum([
  "unknown-after",
  "cycle",
  "duplicate-title",
  "overlap",
  "over-budget",
  "coupling",
  "over-split",
  "uncheckable",
  "single",
]);
export type PlanRule = z.infer<typeof planRule>;

/** One finding of the lint: an error refuses the plan, a warning is kept with it. */
export const planFinding = z.strictObject({
  rule: planRule,
  severity: z.enum(["error", "warning"]),
  briefs: z.array(planBriefId),
  message: z.string().max(4000),
  next: z.string().max(1000),
  /** Where in the plan: the part that would have to change. */
  path: z.array(z.union([z.string(), z.number()])),
});
export type PlanFinding = z.infer<typeof planFinding>;

/** What a delegation is in a plan: one of its briefs, or the combined whole. */
export const planPart = z.strictObject({
  id: planId,
  root: objectId.describe(
    "The host's commit that all of the plan stands on; the base may be a commit of the quarantine's.",
  ),
  brief: planBriefId.optional().describe("Left out for the combined whole."),
  combines: z
    .array(z.strictObject({ brief: planBriefId, delegation: subjectId, commit: objectId, approval: sha256 }))
    .min(1)
    .optional()
    .describe("The approved proposals that the host combines, in the order in which they are merged."),
});
export type PlanPart = z.infer<typeof planPart>;

/** How a plan can end without being approved. */
export const planEnd = z.enum(["rejected", "stuck", "over-budget", "failed"]);
export type PlanEnd = z.infer<typeof planEnd>;
