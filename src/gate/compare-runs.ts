/** From test runs to a test report: what the change fixed, kept, broke, made disappear or skipped. Pure. */
import type { Finding } from "../domain/rejection.ts";
import type { CheckResult, TestReport, TestRun } from "../domain/test-report.ts";
import { fitFindings } from "./findings.ts";
import { cut, cutTail } from "./printable.ts";

type TestStatus = TestRun["tests"][string];

export interface Runs {
  base: TestRun;
  /** The result tree as it is. */
  proposal: TestRun;
  /** The result tree with the base's evidence files. */
  proven: TestRun;
  /** The base with the proposal's evidence files: whether a new test fails without the change. */
  revert?: TestRun;
  /** Tests that did not end the same in every run of one tree. */
  flaky?: readonly string[];
}

/** A test's status in a run; own properties alone, since a test may be named `constructor`. */
export function statusOf(tests: TestRun["tests"], id: string): TestStatus | undefined {
  return Object.hasOwn(tests, id) ? tests[id] : undefined;
}

/** The tests that pass as proposed and that the base does not have: each must be shown to need the change. */
export function newTests(base: TestRun, proposal: TestRun): string[] {
  return Object.keys(proposal.tests).filter(
    (id) => proposal.tests[id] === "passed" && statusOf(base.tests, id) === undefined,
  );
}

/** Whether a suite, file or package that the test is in failed as a whole: then that is what is wrong, and said. */
function isUnloaded(run: TestRun, id: string): boolean {
  for (let at = id.indexOf(" > "); at !== -1; at = id.indexOf(" > ", at + 1)) {
    if (statusOf(run.tests, id.slice(0, at)) === "failed") return true;
  }
  return false;
}

// A run that is cut or not believed is red already; what it lacks would only be named twice.
const isBelieved = (run: TestRun) => run.ended === "exit" && run.forged === undefined;

/** Compares the runs. `breaks` are the base tests that the brief names as meant to break. */
export function compareRuns(runs: Runs, breaks: readonly string[], checks: CheckResult[]): TestReport {
  const { base, proposal, proven, revert } = runs;
  const meant = new Set(breaks);
  const flaky = new Set(runs.flaky);
  const fresh = new Set(newTests(base, proposal));
  // It counts only if it fails, or cannot even load, without the change; a run that is not believed shows nothing.
  const isProven = (id: string) =>
    revert !== undefined && isBelieved(revert) && statusOf(revert.tests, id) !== "passed";
  const failToPass: string[] = [];
  const passToPass: string[] = [];
  const unproven: string[] = [];
  const newlySkipped = new Set<string>();
  for (const [id, status] of Object.entries(proposal.tests)) {
    const before = statusOf(base.tests, id);
    if (status === "skipped" && before !== "skipped" && !meant.has(id)) newlySkipped.add(id);
    if (status !== "passed" || flaky.has(id)) continue;
    if (fresh.has(id)) (isProven(id) ? failToPass : unproven).push(id);
    else if (before === "passed") passToPass.push(id);
    else if (before === "failed") failToPass.push(id);
  }
  const broken: string[] = [];
  const disappeared: string[] = [];
  for (const [id, before] of Object.entries(base.tests)) {
    const after = [statusOf(proposal.tests, id), statusOf(proven.tests, id)];
    if (meant.has(id)) continue;
    // Code under test can end its process while the base's own tests load: they must be seen in both runs.
    const isGone = (status: TestStatus | undefined, run: TestRun) =>
      status === undefined && isBelieved(run) && !isUnloaded(run, id);
    if (isGone(after[0], proposal) || isGone(after[1], proven)) disappeared.push(id);
    if (before !== "skipped" && after.includes("skipped")) newlySkipped.add(id);
    if (before === "passed" && !flaky.has(id) && after.includes("failed")) broken.push(id);
  }
  const compared = { failToPass, passToPass, broken, disappeared, newlySkipped: [...newlySkipped], unproven };
  const notes = breakNotes(runs, breaks);
  return {
    tested: true,
    base,
    proposal,
    proven,
    ...compared,
    checks,
    ...(flaky.size > 0 ? { flaky: [...flaky] } : {}),
    ...(notes.length > 0 ? { notes } : {}),
  };
}

/** What the brief's `breaks` says that is not so. For the planner: no proposal is rejected for it. */
function breakNotes({ base, proposal, proven }: Runs, breaks: readonly string[]): string[] {
  // Where only the exit code is known there is nothing to compare with.
  if (Object.keys(base.tests).length === 0) return [];
  return breaks.flatMap((id) => {
    const before = statusOf(base.tests, id);
    if (before === undefined) return [`breaks names "${cut(id, 500)}", which the base does not have`];
    const after = [statusOf(proposal.tests, id), statusOf(proven.tests, id)];
    return before === "passed" && after.every((status) => status === "passed")
      ? [`breaks names "${cut(id, 500)}", which this change does not break`]
      : [];
  });
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
    // Without changed evidence files it is one run under two names.
    if (findings.length > 0 && run.tree === report.proposal?.tree) continue;
    const last = run.tail ? `\n${cutTail(run.tail, 2500)}` : "";
    if (run.forged) {
      findings.push({
        reason: "tests-forged",
        message: `The test run (${name}) is not believed: ${run.forged}.${last}`,
      });
    } else {
      findings.push({
        reason: "tests-failed",
        message: `The tests (${name}) are not green: ${whyRed(run, report)}.${last}`,
      });
    }
  }
  for (const test of report.disappeared.slice(0, 20)) {
    const to = report.renamed?.find((one) => one.from === test)?.to;
    const renamed =
      to === undefined ? "" : ` It looks renamed to "${to}": only a brief that names it may rename a test.`;
    findings.push({
      reason: "test-disappeared",
      test,
      message: `The test "${test}" of the base is not run any more: put it back, and let the code it loads not end it.${renamed}`,
    });
  }
  for (const test of report.newlySkipped.slice(0, 20)) {
    findings.push({ reason: "test-newly-skipped", test, message: `The test "${test}" is skipped now: let it run.` });
  }
  for (const check of report.checks.filter((c) => !c.ok)) {
    const at = check.found[0];
    findings.push({
      reason: "check-failed",
      criterion: check.criterion,
      message: `${check.criterion} is not met: ${check.detail}`,
      ...(at ? { path: at.path, line: at.line } : {}),
    });
  }
  return fitFindings(findings);
}

function whyRed(run: TestRun, { base, flaky }: TestReport): string {
  if (run.ended !== "exit") return `the host ended them (${run.ended})`;
  const failing = Object.keys(run.tests).filter((id) => run.tests[id] === "failed");
  if (failing.length === 0)
    return base && !base.green ? `exit code ${run.exit}, and the base is not green either` : `exit code ${run.exit}`;
  // A red base is no excuse: the planner has it mended in the same brief, or names the test in `breaks`.
  const named = failing.slice(0, 10).map((id) => {
    const already = base && statusOf(base.tests, id) === "failed";
    const unsteady = flaky?.includes(id) ? " (flaky)" : "";
    return `${cut(id, 200)}${already ? " (fails on the base already)" : ""}${unsteady}`;
  });
  return `${failing.length} failing: ${named.join("; ")}`;
}
