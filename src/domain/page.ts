/**
 * What one page about a delegation shows, and one row of a list: the console, the report and the API share it. Every
 * list has a cap and a total. Texts that a sandbox or a model wrote are printable already (control and direction-turning
 * characters are shown as `\u{…}`) and cut; whoever renders them escapes for its own medium. Schema only.
 */
import { z } from "zod";
import { approvalPredicate } from "./approval.ts";
import { delegationId, missionId, planId, role, sha256, subjectId } from "./identity.ts";
import { accountingGap, processName, processRow } from "./processes.ts";
import { finding } from "./rejection.ts";
import { checkResult } from "./test-report.ts";
import { evidence, refutation } from "./verdict.ts";

const count = z.number().int().nonnegative();
const time = z.iso.datetime();

/** How many entries of each list a page shows at most; `total` tells how many there are. */
export const pageCaps = {
  timeline: 500,
  attempts: 20,
  findings: 100,
  paths: 500,
  tests: 300,
  sandboxes: 100,
  requests: 500,
  hosts: 100,
  processes: 500,
  names: 100,
  claims: 200,
  lines: 500,
  landings: 50,
  briefs: 200,
  text: 4000,
  patchBytes: 1024 * 1024,
} as const;

/** A list that is cut: `items` are the first of `total`. */
export const capped = <T extends z.ZodType>(item: T, most: number) =>
  z.strictObject({ total: count, items: z.array(item).max(most) });

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

/** One step of the way from brief to landing. */
export const step = z.strictObject({
  seq: count,
  time,
  kind: z.enum(["decision", "attempt", "sandbox", "tests", "verdict", "landing", "budget", "end"]),
  title: z.string(),
  detail: z.string().optional(),
  tone: z.enum(["plain", "good", "bad", "waiting"]),
  attempt: count.optional(),
  milliseconds: count
    .optional()
    .describe("Until the next step of the same kind of work; absent where nothing was under way."),
});
export type Step = z.infer<typeof step>;

const tests = capped(z.string(), pageCaps.tests);
/** The test report, what the change fixed first. */
export const testsPage = z.strictObject({
  digest: sha256.optional(),
  tested: z.boolean().describe("false: the policy names no tests"),
  failToPass: tests,
  passToPass: tests,
  broken: tests,
  disappeared: tests,
  newlySkipped: tests,
  unproven: tests,
  flaky: tests,
  runs: z.array(
    z.strictObject({
      what: z.enum(["base", "proposal", "proven"]),
      tree: z.string(),
      green: z.boolean(),
      ended: z.string(),
      exit: z.number().int().nullable(),
      milliseconds: count,
      tests: count,
      passed: count,
      failed: count,
      skipped: count,
      forged: z.string().optional(),
      tail: z.string().describe("The last output: a claim of the code under test."),
    }),
  ),
  checks: capped(checkResult, pageCaps.tests),
  putBack: capped(z.strictObject({ path: z.string(), why: z.string() }), pageCaps.tests),
  notes: z.array(z.string()),
  coverage: z.strictObject({ lines: count, covered: count }).optional().describe("A claim of the code under test."),
});
export type TestsPage = z.infer<typeof testsPage>;

/** One verdict: the only verifier's, one member's of a panel, or the panel's as a whole. */
export const verdictPage = z.strictObject({
  by: z.string().describe("The harness; `panel` for the panel's whole."),
  member: z.boolean(),
  digest: sha256.optional(),
  decision: z.enum(["approve", "reject", "reject-hard"]),
  criteria: z.array(
    z.strictObject({
      id: z.string(),
      must: z.string().optional().describe("The criterion as the brief has it."),
      status: z.enum(["met", "unmet", "unproven"]),
      why: z.string(),
      evidence: z.array(evidence),
    }),
  ),
  refutations: z.array(refutation),
  feedback: z.array(
    z.strictObject({
      path: z.string().optional(),
      line: count.optional(),
      what: z.string(),
      why: z.string(),
      blocking: z.boolean().optional(),
    }),
  ),
});
export type VerdictPage = z.infer<typeof verdictPage>;

/** One sandbox of an attempt. */
export const sandboxPage = z.strictObject({
  id: z.string(),
  role,
  attempt: count,
  purpose: z.string(),
  image: z.string(),
  engine: z.string(),
  controls: z.record(z.string(), z.unknown()).describe("In force, read back from the engine and the kernel."),
  started: time,
  seq: count,
  end: z.string().optional().describe("Absent while it runs, or where a crash cut it."),
  exit: z.number().int().nullable().optional(),
  milliseconds: count.optional(),
  output: z.strictObject({ bytes: count, digest: sha256 }).optional(),
  wrote: z.strictObject({ files: count, bytes: count, paths: z.array(z.string()).max(200) }).optional(),
  requests: count,
  denied: count,
  processes: count.optional().describe("That ended in it, by the kernel; absent where nobody counted."),
});
export type SandboxPage = z.infer<typeof sandboxPage>;

/** A patch: its digest always, its text where it was asked for and could be read. */
export const patchPage = z.strictObject({
  digest: sha256,
  bytes: count,
  text: z.string().optional(),
  cut: z.boolean().optional().describe("`text` is only its beginning."),
  missing: z.string().optional().describe("Why there is no text."),
});

export const attemptPage = z.strictObject({
  number: count,
  executor: z.string(),
  model: z.string().optional(),
  image: z.string().optional(),
  reasons: z.array(z.string()).describe("Why this executor, where the host chose."),
  started: time,
  outcome: z.enum(["running", "approved", "rejected", "rejected-hard", "failed", "stuck", "over-budget", "stopped"]),
  by: z.enum(["host", "verifier"]).optional(),
  end: z.string().optional().describe("How its executor's sandbox ended."),
  findings: capped(finding, pageCaps.findings),
  notes: capped(finding, pageCaps.findings),
  failure: z.strictObject({ code: z.string(), message: z.string() }).optional(),
  proposal: z
    .strictObject({
      commit: z.string(),
      tree: z.string(),
      patch: patchPage,
      changes: capped(
        z.strictObject({ path: z.string(), kind: z.enum(["added", "modified", "deleted"]) }),
        pageCaps.paths,
      ),
      ignored: count,
    })
    .optional(),
  tests: testsPage.optional(),
  verdicts: z.array(verdictPage).max(20),
  sandboxes: capped(sandboxPage, pageCaps.sandboxes),
});
export type AttemptPage = z.infer<typeof attemptPage>;

/** One request that the gateway decided. */
export const requestPage = z.strictObject({
  seq: count,
  time,
  sandbox: z.string(),
  role: role.optional(),
  method: z.string(),
  url: z.string(),
  decision: z.enum(["allow", "deny"]),
  code: z.string(),
  rule: z.string(),
  status: count.optional(),
  secret: z.string().optional().describe("The name of the secret that was put in; never a value."),
  sent: count,
  received: count,
  milliseconds: count,
});
export type RequestPage = z.infer<typeof requestPage>;

export const hostPage = z.strictObject({
  host: z.string(),
  allowed: count,
  denied: count,
  sent: count,
  received: count,
  secrets: z.array(z.string()).max(20),
});

/** Processes of all sandboxes, as the kernel recorded them. */
export const processesPage = z.strictObject({
  total: count,
  dropped: count.describe("Recorded by the kernel, and only counted here and in the ledger."),
  sandboxes: z.array(
    z.strictObject({
      sandbox: z.string(),
      role: role.optional(),
      attempt: count.optional(),
      from: time.optional().describe("Since when the kernel wrote them down."),
      whole: z.boolean().describe("Nothing of the sandbox's command ran before that, and no record is missing."),
      total: count,
      dropped: count,
      names: capped(processName, pageCaps.names),
      gap: accountingGap.optional().describe("Why there are none, or not all."),
    }),
  ),
  items: z.array(processRow.extend({ sandbox: z.string(), seq: count })).max(pageCaps.processes),
});
export type ProcessesPage = z.infer<typeof processesPage>;

/** A command that the harness said it ran. */
export const claimPage = z.strictObject({
  sandbox: z.string(),
  seq: count,
  command: z.string().max(2000),
  exit: z.number().int().optional(),
});

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
