/** The operator's configuration: who may name what. Schema only. */
import { z } from "zod";
import { anchorPlace } from "./anchor.ts";
import { shortName } from "./identity.ts";
import { permittedNames } from "./mission.ts";
import { written } from "./units.ts";

/** What one planner may do. Left-out lists allow nothing. */
export const plannerRights = z.strictObject({
  repositories: z
    .array(z.string().startsWith("/"))
    .max(1000)
    .default([])
    .describe("Canonical paths of host repositories, or globs over them."),
  refs: z
    .array(z.string().startsWith("refs/heads/"))
    .max(1000)
    .default([])
    .describe("Branches it may land on, as full names or globs."),
  missions: z
    .strictObject({
      harnesses: z
        .array(shortName)
        .max(100)
        .default([])
        .describe("Harnesses that may plan; the first where none is named."),
      ...permittedNames.shape,
    })
    .optional()
    .describe("What `sallyport run` may start, and what the plan that comes of it may name. Left out: nothing."),
});
export type PlannerRights = z.infer<typeof plannerRights>;

/** How the gate is measured while it works: known changes through the live verifier. */
export const calibrationConfig = z.strictObject({
  rate: z.number().min(0).max(1).default(0.05).describe("Canaries for each real verdict. 0 draws none."),
  window: z
    .number()
    .int()
    .min(10)
    .max(10_000)
    .default(200)
    .describe("The rates are told over so many last canaries of each verifier, image and policy."),
  warn: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe("Above this rate of good changes rejected, status and doctor warn. It never closes the gate."),
  canaries: z
    .array(z.string().startsWith("/"))
    .max(20)
    .default([])
    .describe("Directories of the operator's own cases, beside the shipped ones."),
  tokens: written.count
    .optional()
    .describe("What the models of canaries may use in one day (UTC), beside each policy's budget."),
  usd: written.money.optional().describe("The same in dollars."),
});
export type CalibrationConfig = z.infer<typeof calibrationConfig>;

const caps = z.strictObject({
  tokens: written.count.optional(),
  usd: written.money.optional().describe("Dollars, such as 5 or 0.50."),
});

export const hostConfig = z.strictObject({
  version: z.literal(1),
  planners: z
    .record(shortName, plannerRights)
    .default({})
    .describe("By planner; `default` is whoever may open the host's socket."),
  lanes: z.number().int().min(1).max(256).default(2).describe("How many delegations run at once."),
  queue: z.number().int().min(0).max(100_000).default(1000).describe("How many more may wait."),
  policies: z
    .array(z.string().startsWith("/"))
    .max(20)
    .default([])
    .describe("Directories of the operator's policies, looked at before the shipped ones."),
  budgets: z
    .strictObject({
      executorDay: z
        .record(shortName, caps)
        .default({})
        .describe("What an executor's models may cost in one day (UTC), over all delegations."),
    })
    .default({ executorDay: {} })
    .describe("Caps beside those of each delegation's policy."),
  calibration: calibrationConfig
    .default(calibrationConfig.parse({}))
    .describe("Known-good and known-bad changes that the verifiers are shown among the real ones."),
  anchors: z
    .array(anchorPlace)
    .max(10)
    .default([])
    .describe("Where signed heads of the ledger are handed to, so that one that was cut or swapped is found."),
});
export type HostConfig = z.infer<typeof hostConfig>;
