/**
 * From a verdict to a decision. The default is rejection: every way in which an answer falls short has its own reason,
 * and an approval is what is left when none applies. Pure.
 */
import type { Criterion } from "../domain/brief.ts";
import type { Finding } from "../domain/rejection.ts";
import type { TestReport } from "../domain/test-report.ts";
import type { Evidence, Verdict } from "../domain/verdict.ts";
import { statusOf } from "./compare-runs.ts";
import type { DiffLines } from "./diff-lines.ts";
import { fitFindings } from "./findings.ts";

export interface Judgement {
  approved: boolean;
  hard: boolean;
  findings: Finding[];
}

/** Why a pointer does not hold, or undefined when it does. */
export function unresolved(pointer: Evidence, lines: DiffLines, report: TestReport): string | undefined {
  if ("path" in pointer) {
    const file = lines.get(pointer.path);
    if (!file) return `${pointer.path} is not in the diff`;
    return file.has(pointer.line) ? undefined : `${pointer.path}:${pointer.line} is not a line of the diff's new side`;
  }
  if ("test" in pointer) {
    const status = report.proposal && statusOf(report.proposal.tests, pointer.test);
    if (status === undefined) return `the report has no test "${pointer.test}"`;
    if (report.flaky?.includes(pointer.test)) return `test "${pointer.test}" does not always end the same`;
    if (report.unproven.includes(pointer.test)) return `test "${pointer.test}" passes without the change too`;
    return status === "passed" ? undefined : `test "${pointer.test}" ${status}`;
  }
  const check = report.checks.find((c) => c.id === pointer.check);
  if (!check) return `the report has no check "${pointer.check}"`;
  return check.ok ? undefined : `check "${pointer.check}" failed`;
}

function verifierFeedback(verdict: Verdict): Finding[] {
  return verdict.feedback.map((item) => ({
    reason: verdict.decision === "reject-hard" ? ("verdict-reject-hard" as const) : ("verdict-reject" as const),
    message: `${item.what} ${item.why}`,
    ...(item.path ? { path: item.path } : {}),
    ...(item.line ? { line: item.line } : {}),
  }));
}

/** Decides on a verdict against the criteria, the diff and the test report. */
export function judge(
  verdict: Verdict,
  criteria: readonly Criterion[],
  lines: DiffLines,
  report: TestReport,
): Judgement {
  const rejected = (findings: Finding[], hard = false): Judgement => ({
    approved: false,
    hard,
    findings: fitFindings(findings),
  });

  const findings: Finding[] = [];
  const answers = new Map(verdict.criteria.map((c) => [c.id, c]));
  if (answers.size !== verdict.criteria.length || verdict.criteria.some((c) => !criteria.some((k) => k.id === c.id))) {
    findings.push({
      reason: "verdict-incomplete",
      message: "The verdict answers a criterion twice, or one that was not asked.",
    });
  }
  for (const criterion of criteria) {
    const answer = answers.get(criterion.id);
    const about = { criterion: criterion.id };
    if (!answer) {
      findings.push({ reason: "verdict-incomplete", message: `${criterion.id} has no answer.`, ...about });
    } else if (answer.status !== "met") {
      const reason = answer.status === "unmet" ? "verdict-unmet" : "verdict-unproven";
      findings.push({
        reason,
        message: `${criterion.id} (${criterion.must}) is ${answer.status}: ${answer.why}`,
        ...about,
      });
    } else if (answer.evidence.length === 0) {
      findings.push({
        reason: "verdict-unproven",
        message: `${criterion.id} is called met without evidence.`,
        ...about,
      });
    } else {
      for (const pointer of answer.evidence) {
        const why = unresolved(pointer, lines, report);
        if (why)
          findings.push({
            reason: "verdict-unresolved",
            message: `${criterion.id}: its evidence does not hold: ${why}.`,
            ...about,
          });
      }
    }
  }
  if (verdict.decision !== "approve") {
    const feedback = verifierFeedback(verdict);
    const all = [...feedback, ...findings];
    const hard = verdict.decision === "reject-hard";
    return rejected(
      all.length > 0
        ? all
        : [
            {
              reason: hard ? "verdict-reject-hard" : "verdict-reject",
              message: "The verifier rejects without saying why.",
            },
          ],
      hard,
    );
  }
  if (verdict.refutations.length === 0) {
    findings.push({
      reason: "verdict-without-refutation",
      message: "The verifier approves without one attempt to refute.",
    });
  }
  for (const tried of verdict.refutations.filter((r) => r.found)) {
    findings.push({
      reason: "verdict-unmet",
      message: `The verifier approves although it found: ${tried.tried} ${tried.detail}`,
    });
  }
  if (findings.length > 0) return rejected(findings);
  return { approved: true, hard: false, findings: [] };
}
