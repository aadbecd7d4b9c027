/** The parts that pages are made of: steps, attempts, verdicts, sandboxes, requests, processes. Schema only; every list is capped. */
import { z } from "zod";
import { role, sha256 } from "./identity.ts";
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
