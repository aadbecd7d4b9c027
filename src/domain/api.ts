/** The HTTP API's bodies. Schema only. */
import { z } from "zod";
import { brief } from "./brief.ts";
import { canaryId, delegationId, missionId, planId, shortName, subjectId } from "./identity.ts";
import { missionText } from "./mission.ts";
import { plan } from "./plan.ts";

/** Briefs and plans have codes of their own for what is wrong in them; these are for the API's description. */
export const describedBrief = brief.meta({ id: "Brief" });
export const describedPlan = plan.meta({ id: "BriefPlan" });
/** A brief, and a plan, as they are written. */
export type WrittenBrief = z.input<typeof brief>;
export type WrittenPlan = z.input<typeof plan>;

/** A caller's own name for a request: sent again with it, the request gives what it gave before. */
export const idempotencyKey = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{8,128}$/, "8 to 128 letters, digits, `.`, `_`, `:` or `-`");

export const delegateBody = z.strictObject({
  repository: z.string().startsWith("/").max(4096),
  base: z.string().min(1).max(1024).optional(),
  onto: z.string().min(1).max(1024).optional(),
  brief: z.unknown(),
  checkFiles: z.record(z.string(), z.string()).optional(),
  key: idempotencyKey.optional(),
});
export const planBody = z.strictObject({
  repository: z.string().startsWith("/").max(4096),
  base: z.string().min(1).max(1024).optional(),
  onto: z.string().min(1).max(1024).optional(),
  plan: z.unknown(),
  checkFiles: z.record(z.string(), z.string()).optional(),
  strict: z.boolean().optional(),
  key: idempotencyKey.optional(),
});
export const planParams = z.strictObject({ id: planId });
export const costParams = z.strictObject({ id: subjectId });
export const executorsQuery = z.strictObject({ since: z.iso.datetime().optional() });
export const missionBody = z.strictObject({
  repository: z.string().startsWith("/").max(4096),
  base: z.string().min(1).max(1024).optional(),
  onto: z.string().min(1).max(1024).optional(),
  mission: missionText,
  harness: shortName.optional(),
  policy: shortName.optional(),
});
export const missionParams = z.strictObject({ id: missionId });
export const landBody = z.strictObject({ onto: z.string().min(1).max(1024).optional() });
export const calibrateBody = z.strictObject({
  policy: shortName.optional(),
  harness: shortName.optional(),
  count: z.number().int().min(1).max(1000).default(12),
});
export const canaryParams = z.strictObject({ id: canaryId });
/** Who says so is a claim: whoever may open the socket is the operator. */
export const gateBody = z.strictObject({
  reason: z.string().trim().min(3).max(4000),
  who: z.string().trim().min(1).max(100).optional(),
});
export const actBody = z.strictObject({ action: shortName, again: z.boolean().default(false) });
export const idParams = z.strictObject({ id: delegationId });
export const waitQuery = z.strictObject({
  seconds: z.coerce.number().min(0).max(45).default(45),
  /** The `updated` time the caller knows; the answer comes when it differs, or at rest. */
  since: z.string().max(40).optional(),
});
export const logQuery = z.strictObject({
  follow: z.stringbool().default(false),
  from: z.coerce.number().int().nonnegative().default(0),
});
export const diffQuery = z.strictObject({ attempt: z.coerce.number().int().positive().optional() });
/** One page of a list, newest last: the `limit` last ones before an id. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(100),
  before: subjectId.optional().describe("The id that an earlier page gave as `next`."),
  state: shortName.optional().describe("Those in this state alone."),
});
/** Which lines of the ledger a reader of events wants, and from where. */
export const eventsQuery = z.strictObject({
  from: z.coerce.number().int().min(1).optional().describe("The first `seq`. Left out: only what comes from now on."),
  delegation: subjectId.optional(),
  type: z
    .string()
    .regex(/^[a-z.-]+(?:,[a-z.-]+)*$/)
    .max(1000)
    .optional()
    .describe("Types of events, with commas between."),
});
