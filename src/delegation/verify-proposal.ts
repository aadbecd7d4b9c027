/** The verifiers' part of an attempt: their turns, what the host makes of the verdicts, and the approval. */
import { join } from "node:path";
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { Proposal } from "../domain/event.ts";
import type { Finding } from "../domain/rejection.ts";
import type { TestReport } from "../domain/test-report.ts";
import type { Verdict } from "../domain/verdict.ts";
import { digestBytes, digestValue } from "../gate/digest.ts";
import { judge } from "../gate/judge.ts";
import { approvalFacts, approve } from "../gate/land.ts";
import { type Judge, judgesOf, mergedFindings, panelDecides, wholeVerdict } from "../gate/panel.ts";
import { shownDiff } from "../gate/shown-diff.ts";
import { askedOf, askVerifier, type MoreOfCase } from "../gate/verifier.ts";
import type { AttemptOutcome } from "./attempt-outcome.ts";
import type { AttemptPlace } from "./attempt-place.ts";
import { type Party, partyOf, requireIndependence } from "./independence.ts";
import type { LoopTools } from "./tools.ts";
import { verifierTurnsOver } from "./verifier-turns.ts";

/** What every verifier of an attempt is asked about, and where. */
interface Question {
  id: string;
  number: number;
  proposal: Proposal;
  report: TestReport;
  /** The patch that is signed, and the diff that is shown. */
  patch: Buffer;
  shown: Buffer | undefined;
  place: AttemptPlace;
  tools: LoopTools;
  signal: AbortSignal;
}

/** Asks the verifiers about a proposal whose tests and checks are green, and signs where enough of their verdicts hold. */
export async function verifyProposal(
  id: string,
  number: number,
  proposal: Proposal,
  place: AttemptPlace,
  tools: LoopTools,
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  const record = tools.record(id);
  const report = record.attempts.at(-1)?.report;
  const { patch: limit } = record.policy.budget;
  const patch = await place.quarantine.patch(place.base.tree, proposal.tree, limit);
  if (!patch.ok || !report || digestBytes(patch.patch) !== proposal.patch)
    throw new SallyportError("worktree-failed", "the proposal changed between collection and verification");
  await independent(record, tools);
  const shown = await shownDiff(place.quarantine, place.base.tree, proposal.tree, limit);
  const question = { id, number, proposal, report, patch: patch.patch, shown, place, tools, signal };
  const judges = judgesOf(record);
  const needed = record.policy.verifier.panel?.approve ?? judges.length;
  const approvals: Verdict[] = [];
  const said: Said[] = [];
  for (const [index, one] of judges.entries()) {
    const turnsOver = verifierTurnsOver(tools.record(id));
    if (turnsOver !== undefined) return { is: "over-budget", what: turnsOver };
    const answer = await askOne(question, one);
    if ("is" in answer) return answer;
    if ("approves" in answer) approvals.push(answer.approves);
    else said.push(answer);
    // A word against any other attempt is no matter of counting: whoever saw why is heard.
    if ("hard" in answer && answer.hard) break;
    if (panelDecides(approvals.length, index + 1, judges.length, needed) !== undefined) break;
  }
  const hard = said.some((one) => one.hard);
  if (hard || approvals.length < needed) {
    const notes = said.flatMap((one) => one.notes ?? []);
    const merged = record.panel ? mergedFindings(said) : said.flatMap(({ findings }) => findings);
    const findings = merged.sort(
      (a, b) => Number(b.reason === "verdict-reject-hard") - Number(a.reason === "verdict-reject-hard"),
    );
    return {
      is: "rejected",
      by: "verifier",
      hard,
      findings,
      tree: proposal.tree,
      ...(notes.length > 0 ? { notes } : {}),
    };
  }
  if (record.panel) {
    const verdict = wholeVerdict(approvals, record.brief.accept);
    const data = { attempt: number, verdict, digest: digestValue(verdict) };
    await tools.append({ type: "verdict.received", delegation: id, data });
  }
  const facts = await approvalFacts(tools.record(id), number, place.quarantine, record.ref);
  await tools.append({ type: "delegation.approved", delegation: id, data: approve(facts, tools.key, tools.now()) });
  return { is: "approved" };
}

interface Said {
  harness: string;
  hard: boolean;
  findings: Finding[];
  notes?: Finding[] | undefined;
}

/** One verifier's turn: that it approves, what it says instead, or what ends the attempt. */
async function askOne(question: Question, who: Judge): Promise<AttemptOutcome | { approves: Verdict } | Said> {
  const { id, number, proposal, report, place, tools, signal } = question;
  const record = tools.record(id);
  const more: MoreOfCase = {
    shown: question.shown,
    review: await reviewOf(record, number, proposal, place, who),
  };
  const turn = await askVerifier(
    {
      delegation: id,
      attempt: number,
      policy: record.policy,
      image: who.image,
      runRole: tools.runRole,
      signal,
      harness: await tools.loadHarness(who.harness),
      directory: join(place.directory, `verify-${number}-${who.harness}`),
    },
    record.brief,
    question.patch,
    report,
    more,
  );
  signal.throwIfAborted();
  if (!turn.verdict) {
    if (turn.reason === "over-budget") return { is: "over-budget", what: `the verifier's ${turn.message}` };
    if (!turn.findings)
      throw new SallyportError("sandbox-failed", turn.message, { next: "The next attempt is made by itself." });
    return { harness: who.harness, hard: false, findings: turn.findings };
  }
  const { verdict } = turn;
  const member = record.panel ? { member: { harness: who.harness, image: who.image } } : {};
  await tools.append({
    type: "verdict.received",
    delegation: id,
    data: { attempt: number, verdict, digest: digestValue(verdict), ...member },
  });
  const asked = askedOf(record.brief, question.shown ?? question.patch, report, more.review);
  const judgement = judge(verdict, record.brief.accept, asked.lines, report, asked.review);
  if (judgement.approved) return { approves: verdict };
  const { hard, findings, notes } = judgement;
  return { harness: who.harness, hard, findings, notes };
}

/** That the verifiers are independent of whoever really did the work, with the model that was really asked. */
async function independent(record: Delegation, tools: LoopTools): Promise<void> {
  const verifiers: Party[] = [];
  for (const { harness, image } of judgesOf(record)) verifiers.push(partyOf(await tools.loadHarness(harness), image));
  const workers = record.plan?.combines
    ? record.plan.combines.map(({ delegation }) => tools.record(delegation))
    : [record];
  const executors: Party[] = [];
  for (const { attempts, candidates, images } of workers) {
    // An attempt goes on from the last one's proposal: whoever worked before has a part in it.
    for (const { executor, model, others = [] } of attempts) {
      const harness = await tools.loadHarness(executor);
      const image = candidates?.find((one) => one.executor === executor)?.image ?? images.executor;
      for (const asked of [model, ...others]) executors.push(partyOf(harness, image, asked));
    }
  }
  requireIndependence(record.policy.verifier, verifiers, executors);
}

/** From its second turn on: what this verifier found last, and what has changed since the tree that it judged. */
async function reviewOf(
  record: Delegation,
  number: number,
  proposal: Proposal,
  place: AttemptPlace,
  who: Judge,
): Promise<MoreOfCase["review"]> {
  const judged = (a: Delegation["attempts"][number]) =>
    record.panel ? a.panel?.some((one) => one.harness === who.harness) : a.verdict !== undefined;
  const last = record.attempts.findLast((a) => a.number < number && a.rejection?.by === "verifier" && judged(a));
  if (!last?.proposal || !last.rejection) return undefined;
  const limit = 2 * record.policy.budget.patch;
  const delta = await place.quarantine.patch(last.proposal.tree, proposal.tree, limit, { context: 3 });
  // What went back and forth can differ by more than either does from the base: then all of it is judged anew.
  if (!delta.ok) return undefined;
  // None of a panel sees what another said.
  const findings = last.rejection.findings.filter((one) => one.by === undefined || one.by.includes(who.harness));
  return { attempt: last.number, findings, delta: delta.patch };
}
