/** The host's own evidence: every run the gate asks for, and the checks, as one test report. */
import type { Criterion } from "../domain/brief.ts";
import type { TestCommands } from "../domain/policy.ts";
import type { TestReport, TestRun } from "../domain/test-report.ts";
import { type Baseline, type BaselineCache, baseline } from "./baseline.ts";
import { runChecks } from "./checks.ts";
import { compareRuns, newTests } from "./compare-runs.ts";
import { changedCoverage } from "./coverage/changed.ts";
import { divideChanges } from "./put-back.ts";
import { renamedTests } from "./renamed.ts";
import { isFlakyRed, type Merged, mergeRuns, mostRuns } from "./repeat.ts";
import { runOnce, type TesterContext } from "./test-run.ts";

export type { BaselineCache } from "./baseline.ts";

export interface Evidence {
  criteria: readonly Criterion[];
  checkFiles: Readonly<Record<string, string>>;
}

/**
 * Runs a tree `times` times; and again, where it is red by nothing but what is flaky on the base, until one run is green to
 * its end or there were `mostRuns`: without one whole green run nothing is called green.
 */
async function runTree(
  context: TesterContext,
  commands: TestCommands,
  name: string,
  tree: string,
  { folders, flaky, loads }: Baseline,
  times: number,
): Promise<Merged & { coverage?: string | undefined }> {
  const known = new Set(flaky);
  const runs: TestRun[] = [];
  let coverage: string | undefined;
  const isOpen = () =>
    runs.length < times ||
    (runs.length < mostRuns &&
      !runs.some((run) => run.green) &&
      runs.every((run) => isFlakyRed(run, known, context.breaks)));
  while (isOpen()) {
    const outcome = await runOnce(context, commands, name, tree, { folders, loads });
    runs.push(outcome.run);
    coverage ??= outcome.coverage;
    // Nothing more is learnt of a tree that was cut or lied.
    if (outcome.run.ended !== "exit" || outcome.run.forged !== undefined) break;
  }
  return { ...mergeRuns(runs, known, context.breaks), coverage };
}

/**
 * Tests `tree` against the base: the base itself, the tree as it is, the tree with the base's evidence files and
 * configuration put back, and, where it brings new tests, the base with the proposal's evidence files (does a new test fail
 * without the change?). Errors: `policy-invalid` where the base itself cannot be tested so, `sandbox-failed`.
 */
export async function testProposal(
  context: TesterContext,
  tree: string,
  evidence: Evidence,
  cache: BaselineCache,
): Promise<TestReport> {
  const { policy, place } = context;
  const { quarantine, base } = place;
  const commands = policy.tests;
  if (!commands) {
    const checks = await runChecks(context, evidence.criteria, evidence.checkFiles, tree, undefined);
    return {
      tested: false,
      failToPass: [],
      passToPass: [],
      broken: [],
      disappeared: [],
      newlySkipped: [],
      unproven: [],
      checks,
    };
  }
  const times = commands.repeat ?? 1;
  const before = await baseline(context, commands, cache);
  const proposal = await runTree(context, commands, "proposal", tree, before, times);
  const { brought, back, told } = await divideChanges(quarantine, base, tree, commands);

  let proven: Merged = proposal;
  if (back.length > 0) {
    proven = await runTree(context, commands, "proven", await quarantine.compose(tree, back), before, 1);
  }
  const fresh = newTests(before.run, proposal.run);
  let revert: Merged | undefined;
  if (brought.length > 0 && fresh.length > 0) {
    const unchanged = await quarantine.compose(base.tree, brought);
    revert = await runTree(context, commands, "revert", unchanged, before, times);
  }
  const flaky = [...new Set([before, proposal, proven, ...(revert ? [revert] : [])].flatMap((one) => one.flaky))];
  const steady = Object.fromEntries(Object.entries(proposal.run.tests).filter(([id]) => !flaky.includes(id)));
  const checks = await runChecks(context, evidence.criteria, evidence.checkFiles, tree, steady);
  const runs = { base: before.run, proposal: proposal.run, proven: proven.run, flaky };
  const report = compareRuns({ ...runs, ...(revert ? { revert: revert.run } : {}) }, context.breaks, checks);

  const found = await quarantine.patch(base.tree, tree, policy.budget.patch);
  const patch = found.ok ? found.patch.toString("utf8") : "";
  const renamed = renamedTests(report.disappeared, fresh, patch);
  const coverage = commands.coverage && changedCoverage(commands.coverage, proposal.coverage, patch);
  return {
    ...report,
    ...(told.length > 0 ? { putBack: told } : {}),
    ...(renamed.length > 0 ? { renamed } : {}),
    ...(coverage ? { coverage } : {}),
  };
}
