/** A test report as a page shows it: what the change fixed first. Pure. */
import { pageCaps, type TestsPage } from "../../domain/page-parts.ts";
import type { CheckResult, TestReport, TestRun } from "../../domain/test-report.ts";
import { cappedTo, line, shown } from "./text.ts";

const named = (ids: readonly string[]) =>
  cappedTo(
    ids.slice(0, pageCaps.tests).map((id) => line(id, 1000)),
    pageCaps.tests,
    ids.length,
  );

const checkOf = (check: CheckResult): CheckResult => ({
  ...check,
  id: line(check.id, 64),
  criterion: line(check.criterion, 32),
  found: check.found.map(({ path, line: at }) => ({ path: line(path, 4000), line: at })),
  detail: shown(check.detail, 1999),
});

function runOf(what: "base" | "proposal" | "proven", run: TestRun): TestsPage["runs"][number] {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const status of Object.values(run.tests)) counts[status] += 1;
  return {
    what,
    tree: run.tree,
    green: run.green,
    ended: run.ended,
    exit: run.exit,
    milliseconds: run.milliseconds,
    tests: Object.keys(run.tests).length,
    ...counts,
    ...(run.forged === undefined ? {} : { forged: line(run.forged) }),
    tail: shown(run.tail),
  };
}

/** The report, with its digest where there is one. */
export function testsOf(report: TestReport, digest: string | undefined): TestsPage {
  const runs = (["base", "proposal", "proven"] as const).flatMap((what) => {
    const run = report[what];
    return run ? [runOf(what, run)] : [];
  });
  return {
    ...(digest === undefined ? {} : { digest }),
    tested: report.tested,
    failToPass: named(report.failToPass),
    passToPass: named(report.passToPass),
    broken: named(report.broken),
    disappeared: named(report.disappeared),
    newlySkipped: named(report.newlySkipped),
    unproven: named(report.unproven),
    flaky: named(report.flaky ?? []),
    runs,
    checks: cappedTo(report.checks.slice(0, pageCaps.tests).map(checkOf), pageCaps.tests, report.checks.length),
    putBack: cappedTo(
      (report.putBack ?? [])
        .slice(0, pageCaps.tests)
        .map(({ path, why }) => ({ path: line(path, 4000), why: line(why) })),
      pageCaps.tests,
      report.putBack?.length ?? 0,
    ),
    notes: (report.notes ?? []).slice(0, 50).map((note) => shown(note)),
    ...(report.coverage ? { coverage: { lines: report.coverage.lines, covered: report.coverage.covered } } : {}),
  };
}
