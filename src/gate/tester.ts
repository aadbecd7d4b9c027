/** The host's own evidence: every run the gate asks for, and the checks, as one test report. */
import type { Criterion } from "../domain/brief.ts";
import { SallyportError } from "../domain/error.ts";
import type { TestReport, TestRun } from "../domain/test-report.ts";
import { pathMatcher } from "../policy/paths.ts";
import { runChecks } from "./checks.ts";
import { compareRuns } from "./compare-runs.ts";
import { runTests, type TesterContext } from "./test-run.ts";

/** The base's run, remembered by what it depends on: base tree, policy's tests, image. */
export type BaselineCache = Map<string, TestRun>;

export interface Evidence {
  criteria: readonly Criterion[];
  checkFiles: Readonly<Record<string, string>>;
}

async function baseline(context: TesterContext, cache: BaselineCache): Promise<TestRun> {
  const { policy, place, image } = context;
  const commands = policy.tests;
  if (!commands) throw new TypeError("no tests in the policy");
  const key = JSON.stringify([place.base.key, place.base.tree, commands, image, context.breaks]);
  const known = cache.get(key);
  if (known) return known;
  const { run, plantMissing } = await runTests(context, commands, "base", place.base.tree);
  if (plantMissing && run.ended === "exit") {
    throw new SallyportError(
      "policy-invalid",
      `the policy's test command does not run the tests that the host plants in ${commands.plant ?? "test"}/, or writes no JUnit report to $SALLYPORT_REPORT`,
      { next: `Make tests.run cover that folder, or set tests.plant. Its last output:\n${run.tail.slice(-1500)}` },
    );
  }
  if (run.ended === "exit") cache.set(key, run);
  return run;
}

/**
 * Tests `tree` against the base: the base itself, the tree as it is, the tree with the base's evidence files put back,
 * and, where it brings new tests, the base with the proposal's evidence files (does a new test fail without the change?).
 */
export async function testProposal(context: TesterContext, tree: string, evidence: Evidence, cache: BaselineCache): Promise<TestReport> {
  const { policy, place } = context;
  const { quarantine, base } = place;
  const commands = policy.tests;
  if (!commands) {
    const checks = await runChecks(context, evidence.criteria, evidence.checkFiles, tree, undefined);
    return { tested: false, failToPass: [], passToPass: [], broken: [], disappeared: [], newlySkipped: [], unproven: [], checks };
  }
  const before = await baseline(context, cache);
  const proposal = (await runTests(context, commands, "proposal", tree)).run;

  const isEvidence = pathMatcher(commands.evidence);
  const changed = (await quarantine.changes(base.tree, tree)).filter((change) => isEvidence(change.path));
  let proven: TestRun = proposal;
  let revert: TestRun | undefined;
  if (changed.length > 0) {
    const original = new Map((await quarantine.changes(tree, base.tree)).map((change) => [change.path, change]));
    const putBack = changed.map(({ path }) => {
      const back = original.get(path);
      return back && back.kind !== "deleted" ? { path, mode: back.mode, oid: back.oid } : { path, delete: true as const };
    });
    proven = (await runTests(context, commands, "proven", await quarantine.compose(tree, putBack))).run;
    if (commands.report === "junit") {
      const brought = changed.map((c) => (c.kind === "deleted" ? { path: c.path, delete: true as const } : { path: c.path, mode: c.mode, oid: c.oid }));
      revert = (await runTests(context, commands, "revert", await quarantine.compose(base.tree, brought))).run;
    }
  }
  const checks = await runChecks(context, evidence.criteria, evidence.checkFiles, tree, proposal.tests);
  return compareRuns({ base: before, proposal, proven, ...(revert ? { revert } : {}) }, context.breaks, checks);
}
