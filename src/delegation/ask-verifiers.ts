/** Asks the verifiers of a delegation, one after the other, until it is decided: one where the policy has no panel. */
import { join } from "node:path";
import type { Brief } from "../domain/brief.ts";
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { Finding } from "../domain/rejection.ts";
import type { TestReport } from "../domain/test-report.ts";
import type { Verdict } from "../domain/verdict.ts";
import { judge } from "../gate/judge.ts";
import { type Judge, judgesOf, mergedFindings, panelDecides, wholeVerdict } from "../gate/panel.ts";
import { askedOf, askVerifier, type MoreOfCase } from "../gate/verifier.ts";
import type { LoopTools } from "./tools.ts";

/** What every verifier is asked about, and where. */
export interface Question {
  record: Delegation;
  attempt: number;
  brief: Brief;
  report: TestReport;
  /** The patch that is signed, and the diff that is shown. */
  patch: Buffer;
  shown: Buffer | undefined;
  /** A directory of this question's own. */
  directory: string;
  /** From a verifier's second turn on: what it found last, and what has changed since. */
  reviewOf?(who: Judge): Promise<MoreOfCase["review"]>;
  /** Why no further turn may be taken, before each. */
  turnsOver?(): string | undefined;
  /** Every valid verdict, written down before it counts. */
  onVerdict(who: Judge, verdict: Verdict): Promise<void>;
}

/** What the verifiers together came to. */
export type Answers =
  | { is: "approved"; verdict: Verdict }
  | { is: "rejected"; hard: boolean; findings: Finding[]; notes?: Finding[]; judged: boolean }
  | { is: "over-budget"; what: string };

interface Said {
  harness: string;
  hard: boolean;
  findings: Finding[];
  notes?: Finding[] | undefined;
  /** Whether it gave a valid verdict. */
  judged: boolean;
}

/** Throws `sandbox-failed` where the host could not ask to the end. */
export async function askVerifiers(
  question: Question,
  tools: Pick<LoopTools, "runRole" | "loadHarness">,
  signal: AbortSignal,
): Promise<Answers> {
  const { record, brief } = question;
  const judges = judgesOf(record);
  const needed = record.policy.verifier.panel?.approve ?? judges.length;
  const approvals: Verdict[] = [];
  const said: Said[] = [];
  for (const [index, one] of judges.entries()) {
    const turnsOver = question.turnsOver?.();
    if (turnsOver !== undefined) return { is: "over-budget", what: turnsOver };
    const answer = await askOne(question, one, tools, signal);
    if ("is" in answer) return answer;
    if ("approves" in answer) approvals.push(answer.approves);
    else said.push(answer);
    // A word against any other attempt is no matter of counting: whoever saw why is heard.
    if ("hard" in answer && answer.hard) break;
    if (panelDecides(approvals.length, index + 1, judges.length, needed) !== undefined) break;
  }
  const hard = said.some((one) => one.hard);
  const [first] = approvals;
  if (!hard && first && approvals.length >= needed) {
    return { is: "approved", verdict: record.panel ? wholeVerdict(approvals, brief.accept) : first };
  }
  const notes = said.flatMap((one) => one.notes ?? []);
  const merged = record.panel ? mergedFindings(said) : said.flatMap(({ findings }) => findings);
  const findings = merged.sort(
    (a, b) => Number(b.reason === "verdict-reject-hard") - Number(a.reason === "verdict-reject-hard"),
  );
  const judged = approvals.length > 0 || said.some((one) => one.judged);
  return { is: "rejected", hard, findings, judged, ...(notes.length > 0 ? { notes } : {}) };
}

/** One verifier's turn: that it approves, what it says instead, or what ends the asking. */
async function askOne(
  question: Question,
  who: Judge,
  tools: Pick<LoopTools, "runRole" | "loadHarness">,
  signal: AbortSignal,
): Promise<Extract<Answers, { is: "over-budget" }> | { approves: Verdict } | Said> {
  const { record, attempt, brief, report, patch, shown } = question;
  const more: MoreOfCase = { shown, review: await question.reviewOf?.(who) };
  const turn = await askVerifier(
    {
      delegation: record.id,
      attempt,
      policy: record.policy,
      image: who.image,
      runRole: tools.runRole,
      signal,
      harness: await tools.loadHarness(who.harness),
      directory: join(question.directory, who.harness),
    },
    brief,
    patch,
    report,
    more,
  );
  signal.throwIfAborted();
  if (!turn.verdict) {
    if (turn.reason === "over-budget") return { is: "over-budget", what: `the verifier's ${turn.message}` };
    if (!turn.findings)
      throw new SallyportError("sandbox-failed", turn.message, { next: "The next attempt is made by itself." });
    return { harness: who.harness, hard: false, findings: turn.findings, judged: false };
  }
  const { verdict } = turn;
  await question.onVerdict(who, verdict);
  const asked = askedOf(brief, shown ?? patch, report, more.review);
  const judgement = judge(verdict, brief.accept, asked.lines, report, asked.review);
  if (judgement.approved) return { approves: verdict };
  const { hard, findings, notes } = judgement;
  return { harness: who.harness, hard, findings, notes, judged: true };
}
