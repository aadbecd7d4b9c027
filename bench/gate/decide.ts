/** From recorded evidence and an answer to the gate's decision, with one of the host's rules switched off where asked. Pure. */
import type { Brief } from "../../src/domain/brief.ts";
import { type Finding, rejectionReason } from "../../src/domain/rejection.ts";
import type { TestReport, TestRun } from "../../src/domain/test-report.ts";
import { compareRuns, reportFindings } from "../../src/gate/compare-runs.ts";
import { diffLines } from "../../src/gate/diff-lines.ts";
import { judge } from "../../src/gate/judge.ts";
import type { CaseEvidence } from "./evidence.ts";
import type { Answer } from "./judges.ts";

/** Rules that are more than one reason for a finding. */
export const structuralRules = {
  "proven-run": "the run with the base's evidence files put back",
  "planted-tests": "the tests that the host plants in each run",
  "revert-check": "a new test must fail without the change",
} as const;

/** About the executor's own process, which this bench does not start. */
const notHere: ReadonlySet<string> = new Set(["executor-memory"]);

/** Every host rule that can be switched off: each reason for a rejection, and the structural ones. */
export const hostRules: readonly string[] = [
  ...rejectionReason.options.filter((reason) => !notHere.has(reason)),
  ...Object.keys(structuralRules),
];

/** What of a brief the decision depends on. */
export type Question = Pick<Brief, "accept" | "breaks">;

export interface Decision {
  approved: boolean;
  /** `host` where no verifier was asked. */
  by: "host" | "verifier";
  findings: Finding[];
}

export interface DecideOptions {
  /** The host rule that is switched off. */
  without?: string | undefined;
  /** Whether this very tree was rejected as an earlier attempt. */
  again?: boolean;
}

/** Whether the host's rules alone reject a case; no findings mean that the verifier is asked. */
export function hostFindings(evidence: CaseEvidence, brief: Question, options: DecideOptions = {}): Finding[] {
  const { without } = options;
  const left = (findings: readonly Finding[]) => findings.filter((f) => f.reason !== without);
  // In the order in which an attempt meets them: the first that finds something ends it.
  const mechanical = without === "protected" ? evidence.unprotected : evidence.mechanical;
  for (const stage of [evidence.collection, evidence.secrets, options.again ? evidence.again : mechanical]) {
    const found = left(stage);
    if (found.length > 0) return found;
  }
  const report = reportWithout(evidence.report, brief, without);
  return report ? left(reportFindings(report)) : [];
}

/** The gate's decision on a case. */
export function decide(evidence: CaseEvidence, brief: Question, answer: Answer, options: DecideOptions = {}): Decision {
  const host = hostFindings(evidence, brief, options);
  if (host.length > 0) return { approved: false, by: "host", findings: host };
  const report = reportWithout(evidence.report, brief, options.without);
  // Where collection refused the layer there is no tree: without the rule nothing is known to stop it.
  if (!report) return { approved: true, by: "verifier", findings: [] };
  const judgement =
    "verdict" in answer
      ? judge(answer.verdict, brief.accept, diffLines(evidence.shown ?? evidence.patch ?? ""), report)
      : { approved: false, findings: [{ reason: answer.reason, message: "There is no verdict." }] };
  const findings = judgement.findings.filter((f) => f.reason !== options.without);
  const isFreed = !judgement.approved && judgement.findings.length > 0 && findings.length === 0;
  return { approved: judgement.approved || isFreed, by: "verifier", findings };
}

/** The report as it would be without one of the structural rules. */
export function reportWithout(
  report: TestReport | undefined,
  brief: Question,
  without: string | undefined,
): TestReport | undefined {
  if (!report) return undefined;
  const { base, proposal } = report;
  if (without === "revert-check")
    return { ...report, failToPass: [...report.failToPass, ...report.unproven], unproven: [] };
  if (without === "proven-run" && base && proposal) return compared(report, brief, { proven: proposal });
  if (without === "planted-tests" && report.proven && proposal)
    return compared(report, brief, { proposal: unplanted(proposal), proven: unplanted(report.proven) });
  return report;
}

/** The comparison made anew from other runs; which new tests are proved stays as it was seen. */
function compared(report: TestReport, brief: Question, runs: { proposal?: TestRun; proven?: TestRun }): TestReport {
  const { base, proposal, proven, failToPass, unproven } = report;
  if (!base || !proposal || !proven) return report;
  return { ...compareRuns({ base, proposal, proven, ...runs }, brief.breaks, report.checks), failToPass, unproven };
}

/** A run without planted tests is believed where its exit code and its report agree. */
function unplanted(run: TestRun): TestRun {
  if (run.forged === undefined || !/planted/.test(run.forged) || run.exit !== 0) return run;
  const { forged: _, ...rest } = run;
  return { ...rest, green: !Object.values(run.tests).includes("failed") };
}
