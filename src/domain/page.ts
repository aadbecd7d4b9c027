/**
 * What one page about a delegation shows, and one row of a list: the console, the report and the API share it. Every
 * list has a cap and a total. Texts that a sandbox or a model wrote are printable already (control and direction-turning
 * characters are shown as `\u{…}`) and cut; whoever renders them escapes for its own medium. Schema only.
 */
import { z } from "zod";
import { approvalPredicate } from "./approval.ts";
import { delegationId, missionId, planId, sha256, subjectId } from "./identity.ts";
import { attemptPage, capped, claimPage, hostPage, pageCaps, processesPage, requestPage, step } from "./page-parts.ts";

const count = z.number().int().nonnegative();
const time = z.iso.datetime();

/** What models cost, as far as it is known. */
export const spendSummary = z.strictObject({
  requests: count.describe("Through the gateway; those to models are among them."),
  tokens: count,
  microusd: count,
});

/** One row of a list. */
export const summary = z.strictObject({
  id: subjectId,
  kind: z.enum(["delegation", "plan", "mission"]),
  title: z.string(),
  state: z.string(),
  rests: z.boolean().describe("Whether nothing of it goes on by itself."),
  held: z.string().optional().describe("Why it waits: the gate is closed."),
  executor: z.string().optional().describe("The harness that works on it."),
  model: z.string().optional().describe("The model that the executor asked first."),
  policy: z.string().optional(),
  repository: z.string(),
  base: z.string(),
  ref: z.string(),
  created: time,
  updated: time,
  attempts: count.describe("Of a plan: its briefs; of a mission: its planner's turns."),
  attemptsMax: count.optional(),
  spend: spendSummary,
  denied: count,
  landed: z.strictObject({ ref: z.string(), commit: z.string() }).optional(),
  reason: z.string().max(300).optional().describe("Why it is stuck, rejected, failed, over budget."),
  plan: planId.optional(),
  brief: z.string().optional().describe("Its brief in that plan; left out: the combined whole."),
  mission: missionId.optional(),
  planner: z.string(),
});
export type Summary = z.infer<typeof summary>;

/** A page of the list, newest first. `next` is what the following page is asked with as `before`. */
export const summaries = z.strictObject({
  total: count.describe("That match, on all pages."),
  summaries: z.array(summary),
  next: z.string().optional(),
});
export type Summaries = z.infer<typeof summaries>;

/** What `GET /v1/summaries` may be asked with. Words of `q` must all be found in title, id, executor, model, repository or ref. */
export const summariesQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  before: z
    .string()
    .regex(/^\d{1,16}$/, "the `next` of a page before")
    .optional(),
  state: z.string().max(200).optional().describe("One state, or several with commas."),
  executor: z.string().max(64).optional(),
  kind: z.enum(["delegation", "plan", "mission"]).optional(),
  q: z.string().max(200).optional(),
});
export type SummariesQuery = z.infer<typeof summariesQuery>;

const amounts = {
  requests: count,
  modelRequests: count,
  tokens: count,
  microusd: count,
  list: count,
  saved: z.number().int(),
  inexact: count,
  milliseconds: count,
};
const tierAmounts = z.strictObject({ ...amounts, rejected: z.strictObject(amounts) });

/** Whether the chain of the whole ledger holds, as far as it was read. */
export const chainStatus = z.strictObject({
  state: z.enum(["whole", "broken", "unread"]).describe("`unread`: not verified yet, or not by this reader."),
  upTo: count.describe("The last line that was verified."),
  hash: sha256.optional(),
  signedUpTo: count.nullable().describe("The last line that a signed segment vouches for."),
  keyids: z.array(z.string()).describe("By whose keys segments are signed."),
  problem: z.string().optional(),
  at: z.string().optional().describe("Segment file and line of the first bad line."),
  cannotProve: z.string(),
  checked: time.optional(),
});
export type ChainStatus = z.infer<typeof chainStatus>;

export const ledgerLine = z.strictObject({ seq: count, time, type: z.string(), text: z.string(), hash: sha256 });

/** Whether an approval's signature holds, and what it says. */
export const approvalPage = z.strictObject({
  attempt: count,
  digest: sha256,
  predicate: approvalPredicate,
  keyids: z.array(z.string()),
  verified: z.boolean(),
  why: z.string().describe("What was checked; or why it does not hold."),
  replaces: z.array(sha256).describe("The approvals whose place it took, newest first."),
});
export type ApprovalPage = z.infer<typeof approvalPage>;

export const landingStep = z.strictObject({ seq: count, time, text: z.string(), tone: step.shape.tone });

export const briefPage = z.strictObject({
  digest: sha256,
  intent: z.string(),
  instructions: z.string(),
  criteria: z.array(z.strictObject({ id: z.string(), must: z.string(), checks: z.array(z.string()) })),
  scope: z.strictObject({
    writable: z.array(z.string()),
    visible: z.array(z.string()),
    protected: z.array(z.string()),
    network: z.array(z.string()).describe("Method, host and paths, a rule each, as narrowed."),
    models: z.array(z.string()),
    secrets: z.array(z.string()).describe("Names only."),
    actions: z.array(z.string()),
  }),
  breaks: z.array(z.string()),
});

export const delegationPage = z.strictObject({
  summary,
  policy: z.strictObject({ name: z.string(), digest: sha256 }),
  verifiers: z.array(z.strictObject({ harness: z.string(), image: z.string() })),
  brief: briefPage,
  timeline: capped(step, pageCaps.timeline),
  attempts: capped(attemptPage, pageCaps.attempts),
  requests: z.strictObject({
    total: count,
    denied: count,
    items: z.array(requestPage).max(pageCaps.requests).describe("The denied first kept where there are more."),
    hosts: capped(hostPage, pageCaps.hosts),
  }),
  processes: processesPage,
  claims: capped(claimPage, pageCaps.claims).describe("What the harness said it ran. A claim."),
  budget: z.strictObject({
    limits: z.record(z.string(), z.number()),
    tiers: z.array(tierAmounts.extend({ tier: z.string() })),
    total: tierAmounts,
  }),
  approval: approvalPage.optional(),
  landing: capped(landingStep, pageCaps.landings),
  actions: z.array(
    z.strictObject({
      action: z.string(),
      run: count,
      begun: time,
      outcome: z.string().optional(),
      exit: z.number().int().nullable().optional(),
      message: z.string().optional(),
    }),
  ),
  ledger: z.strictObject({
    from: count,
    to: count,
    lines: count.describe("Of this delegation."),
    whole: chainStatus,
  }),
  lines: capped(ledgerLine, pageCaps.lines),
});
export type DelegationPage = z.infer<typeof delegationPage>;

/** What `GET /v1/policies/:name/explain` is asked. */
export const explainQuery = z.strictObject({
  request: z.string().min(1).max(8192).describe('"METHOD URL", "GET wss://…" for a WebSocket, or "CONNECT host:port".'),
});
/** Why a policy allows or denies one request. */
export const explanation = z.strictObject({
  policy: z.string(),
  asked: z.string(),
  allow: z.boolean(),
  code: z.string(),
  rule: z.string().describe("The deciding or nearest rule, or `none`."),
  index: count.optional().describe("Its place in `network`."),
  at: z.string().optional().describe("File and line of that rule."),
  why: z.string(),
  next: z.string().describe("The smallest rule that would allow it, as a line of YAML; empty where it is allowed."),
  text: z.array(z.string()).describe("The same for people, a line each."),
});
export type Explanation = z.infer<typeof explanation>;

/** A page is asked for with the text of its patches, or without. */
export const pageQuery = z.strictObject({ patches: z.stringbool().default(false) });
export const chainQuery = z.strictObject({
  again: z.stringbool().default(false).describe("Verify from the first line, also what was verified before."),
});
export const policyParams = z.strictObject({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/) });

/** A plan, or a mission with its plan. */
export const planPage = z.strictObject({
  summary,
  text: z.string().describe("A plan's intent; a mission's text."),
  briefs: capped(
    z.strictObject({
      id: z.string(),
      title: z.string(),
      after: z.array(z.string()),
      delegation: delegationId,
      state: z.string(),
      attempts: count,
      reason: z.string().optional(),
    }),
    pageCaps.briefs,
  ),
  combined: z
    .strictObject({ delegation: delegationId, state: z.string(), reason: z.string().optional() })
    .optional()
    .describe("The whole of a plan: its approval and landing are on this delegation's page."),
  conflicts: z.array(z.strictObject({ between: z.array(z.string()), paths: z.array(z.string()) })),
  warnings: z.array(z.strictObject({ rule: z.string(), message: z.string() })),
  turns: z.array(
    z.strictObject({
      number: count,
      purpose: z.string(),
      started: time,
      end: z.string().optional(),
      message: z.string().optional(),
      refused: z.array(z.string()),
      milliseconds: count.optional(),
    }),
  ),
  report: z.strictObject({ by: z.enum(["planner", "host"]), text: z.string() }).optional(),
  ledger: delegationPage.shape.ledger,
  lines: capped(ledgerLine, pageCaps.lines),
});
export type PlanPage = z.infer<typeof planPage>;
