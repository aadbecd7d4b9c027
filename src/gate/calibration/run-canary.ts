/**
 * One canary through the live verifier: the same turn that a real proposal gets, the same judgement, and no way from
 * there to an approval. Nothing here can sign: it is given no key.
 */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { brief as briefSchema } from "../../domain/brief.ts";
import type { BudgetAccount } from "../../domain/budget.ts";
import { asSallyportError } from "../../domain/error.ts";
import type { Event, EventData } from "../../domain/event.ts";
import type { HarnessFile } from "../../domain/harness.ts";
import { delegationIdFrom } from "../../domain/identity.ts";
import type { Policy } from "../../domain/policy.ts";
import type { TestReport } from "../../domain/test-report.ts";
import type { RunRole } from "../../sandbox/role-run.ts";
import { digestBytes, digestValue } from "../digest.ts";
import { judge } from "../judge.ts";
import { cut } from "../printable.ts";
import { shownDiff } from "../shown-diff.ts";
import { askedOf, askVerifier } from "../verifier.ts";
import type { CanaryCase } from "./canary-case.ts";
import { filesAfter, openCanaryPlace, shownTrees } from "./canary-trees.ts";
import { varyCase } from "./vary-case.ts";

/** What is run, and for whom. */
export interface CanaryPlan {
  /** `c-…`. */
  id: string;
  case: CanaryCase;
  seed: string;
  trigger: "rate" | "operator";
  after?: string;
  /** A real delegation's, or an operator's policy by name. */
  policy: Policy;
  harness: HarnessFile;
  image: string;
}

export interface CanaryTools {
  append(event: Event): Promise<unknown>;
  runRole: RunRole;
  /** The host's own accounts: a canary spends nothing of a delegation's budget. */
  accounts: readonly BudgetAccount[];
  /** Where delegations have their directories: a sandbox can read the names of its mounts' sources. */
  lanes: string;
  /** Where scratch repositories are made. */
  scratch: string;
}

/** What every line about a canary says. */
const turnOf = (plan: CanaryPlan) => ({
  case: plan.case.id,
  label: plan.case.label,
  harness: plan.harness.name,
  image: plan.image,
  policy: plan.policy.name,
});

/** The line about a canary that came to no judgement, by no fault of its verifier. */
export function failedCanary(plan: CanaryPlan, thrown: unknown): Event {
  const { code, message } = asSallyportError(thrown);
  const data = { ...turnOf(plan), code, message: cut(message, 4000) };
  return { type: "canary.failed", delegation: plan.id, data };
}

/** Runs a canary to its line in the ledger. Rejects only where the ledger does, or when `signal` aborts. */
export async function runCanary(plan: CanaryPlan, tools: CanaryTools, signal: AbortSignal): Promise<void> {
  const turn = turnOf(plan);
  let judged: Judged;
  try {
    judged = await askAbout(plan, turn, tools, signal);
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    // Where the ledger is the one that failed, this fails too: nothing is lost.
    await tools.append(failedCanary(plan, thrown));
    return;
  }
  await tools.append({ type: "canary.judged", delegation: plan.id, data: { ...turn, ...judged } });
}

type Judged = Omit<EventData<"canary.judged">, "case" | "label" | "harness" | "image" | "policy">;

async function askAbout(
  plan: CanaryPlan,
  turn: ReturnType<typeof turnOf>,
  tools: CanaryTools,
  signal: AbortSignal,
): Promise<Judged> {
  const { id, policy } = plan;
  const place = await openCanaryPlace(tools.scratch);
  // Named like a real delegation's: a sandbox can read where its mounts come from.
  const directory = join(tools.lanes, delegationIdFrom(randomBytes(10)));
  try {
    const after = await filesAfter(place.quarantine, plan.case);
    const shown = varyCase(plan.case, after, plan.seed);
    const { base, tree, patch, report: tested } = await shownTrees(place.quarantine, shown, policy.budget.patch);
    const report = policy.tests ? tested : withoutTests(tested);
    const diff = (await shownDiff(place.quarantine, base, tree, policy.budget.patch)) ?? patch;
    const brief = briefSchema.parse({
      title: "A change",
      intent: shown.intent,
      instructions: "As the intent says.",
      accept: shown.accept,
      executor: "none",
      policy: policy.name,
    });
    await tools.append({
      type: "canary.started",
      delegation: id,
      data: {
        ...turn,
        seed: plan.seed,
        trigger: plan.trigger,
        ...(plan.after ? { after: plan.after } : {}),
        question: digestValue({ intent: brief.intent, accept: brief.accept }),
        patch: digestBytes(patch),
        report: digestValue(report),
      },
    });
    const answer = await askVerifier(
      {
        delegation: id,
        attempt: 1,
        policy,
        harness: plan.harness,
        image: plan.image,
        directory: join(directory, "verify-1", plan.harness.name),
        runRole: (run) =>
          tools.runRole({ ...run, ...(run.lane ? { lane: { ...run.lane, accounts: tools.accounts } } : {}) }),
        signal,
      },
      brief,
      patch,
      report,
      { shown: diff },
    );
    signal.throwIfAborted();
    if (!answer.verdict) {
      // What is no fault of the verifier's says nothing about it.
      if (answer.reason === "host" || answer.reason === "over-budget") throw new Error(answer.message);
      return { approved: false, hard: false, reasons: [answer.reason] };
    }
    const { verdict } = answer;
    const { approved, hard, findings } = judge(
      verdict,
      brief.accept,
      askedOf(brief, diff, report, undefined).lines,
      report,
    );
    const reasons = [...new Set(findings.map(({ reason }) => reason))];
    return { approved, hard, reasons, verdict, digest: digestValue(verdict) };
  } finally {
    await rm(directory, { recursive: true, force: true });
    await place.close();
  }
}

/** As it is where the policy names no tests: a report with runs would tell a canary there. */
function withoutTests({ checks }: TestReport): TestReport {
  return {
    broken: [],
    checks,
    disappeared: [],
    failToPass: [],
    newlySkipped: [],
    passToPass: [],
    tested: false,
    unproven: [],
  };
}
