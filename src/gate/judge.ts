/**
 * From a verdict to a decision. The default is rejection: every way in which an answer falls short has its own reason,
 * and an approval is what is left when none applies. Pure.
 */
import type { Criterion } from "../domain/brief.ts";
import type { Finding } from "../domain/rejection.ts";
import type { TestReport } from "../domain/test-report.ts";
import type { Feedback, Verdict } from "../domain/verdict.ts";
import type { DiffLines } from "./diff-lines.ts";
import { onlyContext, placeOf, unresolved } from "./evidence.ts";
import { fitFindings } from "./findings.ts";
import { countsAgain, type Review } from "./review.ts";
import { readShown } from "./show-text.ts";

export { unresolved } from "./evidence.ts";

export interface Judgement {
  approved: boolean;
  hard: boolean;
  findings: Finding[];
  /** What was said and does not reject: new, and about code that has not changed since the last verdict. */
  notes?: Finding[];
}

function findingOf(item: Feedback, verdict: Verdict, lines: DiffLines): Finding {
  const path = item.path === undefined || lines.has(item.path) ? item.path : readShown(item.path);
  const place = placeOf(item.path, item.line, lines);
  return {
    reason: verdict.decision === "reject-hard" ? "verdict-reject-hard" : "verdict-reject",
    message: `${item.what} ${item.why}`,
    ...(path ? { path } : {}),
    ...(item.line ? { line: item.line } : {}),
    ...(place ? { place } : {}),
  };
}

/** Decides on a verdict against the criteria, the diff as it was shown, the test report and, in a review, the delta. */
export function judge(
  verdict: Verdict,
  criteria: readonly Criterion[],
  lines: DiffLines,
  report: TestReport,
  review?: Review,
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
      const wrong = answer.evidence.flatMap((pointer) => unresolved(pointer, lines, report) ?? []);
      for (const why of wrong)
        findings.push({
          reason: "verdict-unresolved",
          message: `${criterion.id}: its evidence does not hold: ${why}.`,
          ...about,
        });
      if (wrong.length === 0 && onlyContext(answer.evidence, lines))
        findings.push({
          reason: "verdict-unresolved",
          message: `${criterion.id}: all its evidence is code that the change left as it was.`,
          ...about,
        });
    }
  }
  if (verdict.decision !== "approve") {
    const hard = verdict.decision === "reject-hard";
    const counts = (item: Feedback) => review === undefined || countsAgain(item, review);
    const said = verdict.feedback.filter(counts).map((item) => findingOf(item, verdict, lines));
    const notes = verdict.feedback.filter((item) => !counts(item)).map((item) => findingOf(item, verdict, lines));
    const all = [...said, ...findings];
    const silent: Finding = {
      reason: hard ? "verdict-reject-hard" : "verdict-reject",
      message: "The verifier rejects without saying why.",
    };
    return {
      ...rejected(all.length > 0 ? all : [silent], hard),
      ...(notes.length > 0 ? { notes: fitFindings(notes) } : {}),
    };
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
