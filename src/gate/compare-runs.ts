/** From test runs to a test report: what the change fixed, kept, broke, made disappear or skipped. Pure. */
import type { Finding } from "../domain/rejection.ts";
import type { CheckResult, TestReport, TestRun } from "../domain/test-report.ts";

export interface Runs {
  base: TestRun;
  /** The result tree as it is. */
  proposal: TestRun;
  /** The result tree with the base's evidence files. */
  proven: TestRun;
  /** The base with the proposal's evidence files: whether a new test fails without the change. */
  revert?: TestRun;
}

/** Compares the runs. `breaks` are the base tests that the brief names as meant to break. */
export function compareRuns(runs: Runs, breaks: readonly string[], checks: CheckResult[]): TestReport {
  const { base, proposal, proven, revert } = runs;
  const meant = new Set(breaks);
  const failToPass: string[] = [];
  const passToPass: string[] = [];
  const unproven: string[] = [];
  const newlySkipped: string[] = [];
  for (const [id, status] of Object.entries(proposal.tests)) {
    const before = base.tests[id];
    if (status === "skipped" && before !== "skipped") newlySkipped.push(id);
    if (status !== "passed") continue;
    if (before === "passed") passToPass.push(id);
    else if (before === "failed") failToPass.push(id);
    // New here: it proves something only if it fails (or cannot even load) without the change.
    else if (revert && !revert.forged && revert.tests[id] !== "passed") failToPass.push(id);
    else unproven.push(id);
  }
  const known = Object.entries(base.tests);
  const broken = known
    .filter(([id, status]) => status === "passed" && !meant.has(id))
    .filter(([id]) => proposal.tests[id] === "failed" || proven.tests[id] === "failed")
    .map(([id]) => id);
  const disappeared = known.filter(([id]) => proposal.tests[id] === undefined && !meant.has(id)).map(([id]) => id);
  return { tested: true, base, proposal, proven, failToPass, passToPass, broken, disappeared, newlySkipped, unproven, checks };
}

/** What in a report makes the host reject the proposal without asking a verifier; none means that all is green. */
export function reportFindings(report: TestReport): Finding[] {
  const findings: Finding[] = [];
  const runs = [
    ["as proposed", report.proposal],
    ["with the base's tests put back", report.proven],
  ] as const;
  for (const [name, run] of runs) {
    if (!run || run.green) continue;
    if (run.forged) {
      findings.push({ reason: "tests-forged", message: `The test run (${name}) is not believed: ${run.forged}.` });
    } else {
      const failing = Object.keys(run.tests).filter((id) => run.tests[id] === "failed");
      const what = failing.length > 0 ? `${failing.length} failing: ${failing.slice(0, 10).join("; ")}` : `exit ${run.exit ?? run.ended}`;
      findings.push({ reason: "tests-failed", message: `The tests (${name}) are not green: ${what}.\n${run.tail.slice(-2500)}` });
    }
  }
  for (const test of report.disappeared.slice(0, 20)) {
    findings.push({ reason: "test-disappeared", test, message: `The test "${test}" of the base is gone: put it back.` });
  }
  for (const test of report.newlySkipped.slice(0, 20)) {
    findings.push({ reason: "test-newly-skipped", test, message: `The test "${test}" is skipped now: let it run.` });
  }
  for (const check of report.checks.filter((c) => !c.ok)) {
    const at = check.found[0];
    findings.push({
      reason: "check-failed",
      criterion: check.criterion,
      message: `${check.criterion} is not met: ${check.detail}`.slice(0, 4000),
      ...(at ? { path: at.path, line: at.line } : {}),
    });
  }
  return findings;
}
