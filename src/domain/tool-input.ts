/** What the tools of the MCP server take: the planner's verbs as a model calls them. Schema only. */
import { z } from "zod";
import { idempotencyKey } from "./api.ts";
import { briefFields, criterion } from "./brief.ts";
import { subjectId } from "./identity.ts";
import { planBriefId } from "./plan.ts";
import { writtenBudget } from "./policy.ts";

/** The longest that one `wait` takes, in seconds: clients give up on a tool after a minute. */
export const longestWait = 45;

/** Of a brief what a planner writes by hand; network, models and secrets are the policy's unless a brief's file narrows them. */
const brief = briefFields(writtenBudget, criterion).pick({
  title: true,
  intent: true,
  instructions: true,
  accept: true,
  executor: true,
  policy: true,
  writable: true,
  visible: true,
  budget: true,
  breaks: true,
});

const place = {
  repository: z.string().startsWith("/").max(4096).describe("The host repository's absolute path."),
  base: z.string().min(1).max(1024).optional().describe("What to start from, a ref or commit. Left out: HEAD."),
  onto: z.string().min(1).max(1024).optional().describe("The branch it is meant to land on. Left out: the base's."),
  checkFiles: z
    .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/), z.string().max(1_000_000))
    .optional()
    .describe("The files that checks name, by name: their text."),
  key: idempotencyKey
    .optional()
    .describe("An idempotency key of yours: the same call with the same key again gives the same id."),
};

const id = subjectId.describe("The id that delegate or plan gave.");

export const toolInput = {
  delegate: z.strictObject({ ...place, brief }),
  plan: z.strictObject({
    ...place,
    plan: z.strictObject({
      title: brief.shape.title,
      intent: brief.shape.intent.describe("What all of it is for. The verifier of the combined whole sees it."),
      briefs: z
        .array(
          brief.extend({
            id: planBriefId,
            after: z.array(planBriefId).default([]).describe("Briefs whose approved trees this one starts from."),
          }),
        )
        .min(1)
        .max(32),
      accept: z.array(criterion).max(50).default([]).describe("Criteria of the combined whole alone."),
      policy: brief.shape.policy.optional().describe("Whose tests judge the whole; left out: the briefs' own."),
    }),
  }),
  wait: z.strictObject({ id, seconds: z.number().int().min(0).max(longestWait).default(longestWait) }),
  show: z.strictObject({ id }),
  diff: z.strictObject({
    id,
    attempt: z.number().int().positive().optional().describe("Left out: the last proposal."),
    offset: z.number().int().min(0).default(0).describe("Where to go on, in characters."),
    characters: z.number().int().min(100).max(100_000).default(20_000),
  }),
  executors: z.strictObject({}),
  policies: z.strictObject({}),
  land: z.strictObject({
    id,
    onto: z.string().min(1).max(1024).optional().describe("Another branch than the one it was meant for."),
  }),
  discard: z.strictObject({ id }),
} as const;
