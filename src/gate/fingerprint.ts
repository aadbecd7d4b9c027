/**
 * What a rejection is about, without its prose and without line numbers, which move: two rejections with the same
 * fingerprint say the same thing, and the attempt between them has mended nothing. Pure.
 */
import { canonicalJson } from "../domain/canonical.ts";
import type { Finding } from "../domain/rejection.ts";
import type { TestReport, TestRun } from "../domain/test-report.ts";
import { digestValue } from "./digest.ts";

type Mark = readonly [reason: string, path: string, place: string, criterion: string, test: string, check: string];

/** The digest over the findings' marks, in an order of their own. The report says which tests and checks were red. */
export function rejectionFingerprint(findings: readonly Finding[], report: TestReport | undefined): string {
  const marks = findings.flatMap((finding) => marksOf(finding, report)).map((mark) => canonicalJson([...mark]));
  return digestValue([...new Set(marks)].sort());
}

function marksOf(finding: Finding, report: TestReport | undefined): Mark[] {
  const { reason, path = "", place = "", criterion = "", test = "", check = "" } = finding;
  const own: Mark = [reason, path, place, criterion, test, check];
  if (!report || test !== "" || check !== "") return [own];
  if (reason === "tests-failed" || reason === "tests-forged") {
    const runs = [report.proposal, report.proven].filter((run) => run !== undefined && !run.green) as TestRun[];
    const failing = new Set(runs.flatMap((run) => Object.keys(run.tests).filter((id) => run.tests[id] === "failed")));
    if (failing.size > 0) return [...failing].map((id): Mark => [reason, "", "", "", id, ""]);
    // The exit code alone: what was printed tells one failure from another, without the numbers that change by themselves.
    return runs.map((run): Mark => [reason, "", `${run.ended} ${run.exit} ${printedBy(run)}`, "", "", ""]);
  }
  if (reason === "check-failed") {
    const failed = report.checks.filter((one) => !one.ok && one.criterion === criterion);
    if (failed.length > 0) {
      return failed.map((one): Mark => {
        const places = [...new Set(one.found.map((found) => found.path))].sort().join("\n");
        return [reason, places, "", criterion, "", one.id];
      });
    }
  }
  return [own];
}

const printedBy = (run: TestRun) => digestValue(run.tail.replace(/[0-9a-f]*[0-9][0-9a-f.:]*/gi, "#"));
