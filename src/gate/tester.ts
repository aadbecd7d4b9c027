/** The host's own evidence: every run the gate asks for, and the checks, as one test report. */
import type { Criterion } from "../domain/brief.ts";
import { SallyportError } from "../domain/error.ts";
import type { TestCommands } from "../domain/policy.ts";
import type { TestReport, TestRun } from "../domain/test-report.ts";
import { pathMatcher } from "../policy/paths.ts";
import type { Change, Override } from "../worktree/quarantine.ts";
import { runChecks } from "./checks.ts";
import { compareRuns, newTests } from "./compare-runs.ts";
import { cutTail } from "./printable.ts";
import { runTests, type TesterContext } from "./test-run.ts";

/** The base's run, remembered by what it depends on. A host keeps one for all its delegations. */
export type BaselineCache = Map<string, TestRun>;

/** How many base runs are remembered. */
const mostBaselines = 64;

export interface Evidence {
  criteria: readonly Criterion[];
  checkFiles: Readonly<Record<string, string>>;
}

async function baseline(context: TesterContext, commands: TestCommands, cache: BaselineCache): Promise<TestRun> {
  const { policy, place, image } = context;
  const key = JSON.stringify([
    place.base.key,
    commands,
    policy.sandbox,
    policy.budget,
    policy.network,
    image,
    context.breaks,
  ]);
  const known = cache.get(key);
  if (known) return known;
  const run = await runTests(context, commands, "base", place.base.tree);
  // No executor has written a byte of this: what is wrong here is the policy's, and no proposal is rejected for it.
  const wrong = run.ended === "exit" || run.forged ? run.forged : `the host ended it (${run.ended})`;
  if (wrong) {
    throw new SallyportError(
      "policy-invalid",
      `tests.run of policy ${policy.name} cannot be used, already on the base: ${wrong}`,
      {
        next: `The command must end by itself, write JUnit XML to $SALLYPORT_REPORT where tests.report is junit, and run what is in ${commands.plant ?? "test"}/ where tests.runner is set. Its last output:\n${cutTail(run.tail, 1500)}`,
      },
    );
  }
  for (const oldest of cache.size >= mostBaselines ? [...cache.keys()].slice(0, 1) : []) cache.delete(oldest);
  cache.set(key, run);
  return run;
}

const override = (change: Change): Override => {
  const { path, mode, oid } = change;
  // A name that is not UTF-8 is shown escaped: its bytes are what git must be told.
  const name = change.raw ? { path, raw: change.raw } : { path };
  return change.kind === "deleted" ? { ...name, delete: true } : { ...name, mode, oid };
};

/**
 * Tests `tree` against the base: the base itself, the tree as it is, the tree with the base's evidence files put back,
 * and, where it brings new tests, the base with the proposal's evidence files (does a new test fail without the change?).
 * Errors: `policy-invalid` where the base itself cannot be tested so, `sandbox-failed`.
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
  const before = await baseline(context, commands, cache);
  const proposal = await runTests(context, commands, "proposal", tree);

  const isEvidence = pathMatcher(commands.evidence);
  const ofEvidence = async (from: string, to: string) =>
    (await quarantine.changes(from, to)).filter((change) => isEvidence(change.path)).map(override);
  const brought = await ofEvidence(base.tree, tree);
  let proven: TestRun = proposal;
  let revert: TestRun | undefined;
  if (brought.length > 0) {
    const putBack = await ofEvidence(tree, base.tree);
    proven = await runTests(context, commands, "proven", await quarantine.compose(tree, putBack));
    if (newTests(before, proposal).length > 0) {
      revert = await runTests(context, commands, "revert", await quarantine.compose(base.tree, brought));
    }
  }
  const checks = await runChecks(context, evidence.criteria, evidence.checkFiles, tree, proposal.tests);
  return compareRuns({ base: before, proposal, proven, ...(revert ? { revert } : {}) }, context.breaks, checks);
}
