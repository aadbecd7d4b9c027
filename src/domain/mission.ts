/** The mission: one sentence or page that a planner harness turns into a plan. Schema only. */
import { z } from "zod";
import { shortName } from "./identity.ts";

export const missionText = z.string().trim().min(1).max(50_000);

/** What a plan that a planner harness writes may name. Left-out lists allow nothing. */
export const permittedNames = z.strictObject({
  executors: z.array(shortName).max(100).default([]).describe("Harnesses that its briefs may name as executor."),
  policies: z.array(shortName).max(100).default([]).describe("Policies that its briefs may name."),
});
export type PermittedNames = z.infer<typeof permittedNames>;

/** What a planner's sandbox is for. */
export const plannerPurpose = z.enum(["plan", "mend", "report"]);
export type PlannerPurpose = z.infer<typeof plannerPurpose>;

/** How a mission can end without a plan. */
export const missionEnd = z.enum(["stuck", "over-budget", "failed", "discarded"]);
export type MissionEnd = z.infer<typeof missionEnd>;

/** What a planner posts: a plan, with the files of its checks by name, as base64. A plan alone is taken too. */
export const postedPlan = z.strictObject({
  plan: z.record(z.string(), z.unknown()),
  checkFiles: z.record(z.string(), z.string()).optional(),
});
export const postedSummary = z.strictObject({ text: z.string().trim().min(1).max(20_000) });
