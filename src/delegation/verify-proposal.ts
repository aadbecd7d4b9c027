/** The verifier's part of an attempt: its turn, what the host makes of the verdict, and the approval. */
import { join } from "node:path";
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { Proposal } from "../domain/event.ts";
import { digestBytes, digestValue } from "../gate/digest.ts";
import { judge } from "../gate/judge.ts";
import { approvalFacts, approve } from "../gate/land.ts";
import { shownDiff } from "../gate/shown-diff.ts";
import { askedOf, askVerifier, type MoreOfCase } from "../gate/verifier.ts";
import type { AttemptOutcome } from "./attempt-outcome.ts";
import type { AttemptPlace } from "./attempt-place.ts";
import { holdWhileClosed } from "./hold.ts";
import { type Party, partyOf, requireIndependence } from "./independence.ts";
import type { LoopTools } from "./tools.ts";
import { verifierTurnsOver } from "./verifier-turns.ts";

/** Asks the verifier about a proposal whose tests and checks are green, and signs where its verdict holds. */
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
  const turnsOver = verifierTurnsOver(record);
  if (turnsOver !== undefined) return { is: "over-budget", what: turnsOver };
  await independent(record, tools);
  const shown = await shownDiff(place.quarantine, place.base.tree, proposal.tree, limit);
  const more: MoreOfCase = { shown, review: await reviewOf(record, number, proposal, place) };
  const turn = await askVerifier(
    {
      delegation: id,
      attempt: number,
      policy: record.policy,
      image: record.images.verifier,
      runRole: tools.runRole,
      signal,
      harness: await tools.loadHarness(record.policy.verifier.harness),
      directory: join(place.directory, `verify-${number}`),
    },
    record.brief,
    patch.patch,
    report,
    more,
  );
  signal.throwIfAborted();
  if (!turn.verdict) {
    if (turn.reason === "over-budget") return { is: "over-budget", what: `the verifier's ${turn.message}` };
    if (!turn.findings)
      throw new SallyportError("sandbox-failed", turn.message, { next: "The next attempt is made by itself." });
    return { is: "rejected", by: "verifier", hard: false, findings: turn.findings, tree: proposal.tree };
  }
  const { verdict } = turn;
  await tools.append({
    type: "verdict.received",
    delegation: id,
    data: { attempt: number, verdict, digest: digestValue(verdict) },
  });
  const asked = askedOf(record.brief, shown ?? patch.patch, report, more.review);
  const judgement = judge(verdict, record.brief.accept, asked.lines, report, asked.review);
  if (!judgement.approved) {
    const { hard, findings, notes } = judgement;
    return { is: "rejected", by: "verifier", hard, findings, tree: proposal.tree, ...(notes ? { notes } : {}) };
  }
  // A gate that closed while the verdict was given: nothing is signed until it is open again.
  await holdWhileClosed(id, number, tools, signal);
  const facts = await approvalFacts(tools.record(id), number, place.quarantine, record.ref);
  const data = approve(facts, tools.key, tools.now(), { lifetime: record.policy.landing?.expires });
  await tools.append({ type: "delegation.approved", delegation: id, data });
  return { is: "approved" };
}

/** That the verifier is independent of whoever really did the work, with the model that was really asked. */
async function independent(record: Delegation, tools: LoopTools): Promise<void> {
  const verifier = await tools.loadHarness(record.policy.verifier.harness);
  const workers = record.plan?.combines
    ? record.plan.combines.map(({ delegation }) => tools.record(delegation))
    : [record];
  const executors: Party[] = [];
  for (const worker of workers) {
    const model = worker.attempts.at(-1)?.model;
    executors.push(partyOf(await tools.loadHarness(worker.executor), worker.images.executor, model));
  }
  requireIndependence(record.policy.verifier, [partyOf(verifier, record.images.verifier)], executors);
}

/** From the second turn on: what the verifier found last, and what has changed since the tree that it judged. */
async function reviewOf(
  record: Delegation,
  number: number,
  proposal: Proposal,
  place: AttemptPlace,
): Promise<MoreOfCase["review"]> {
  const last = record.attempts.findLast((a) => a.number < number && a.verdict && a.rejection?.by === "verifier");
  if (!last?.proposal || !last.rejection) return undefined;
  const limit = 2 * record.policy.budget.patch;
  const delta = await place.quarantine.patch(last.proposal.tree, proposal.tree, limit, { context: 3 });
  // What went back and forth can differ by more than either does from the base: then all of it is judged anew.
  if (!delta.ok) return undefined;
  return { attempt: last.number, findings: last.rejection.findings, delta: delta.patch };
}
