/** The verifier's part of an attempt: its turn, what the host makes of the verdict, and the approval. */
import { join } from "node:path";
import { SallyportError } from "../domain/error.ts";
import type { Proposal } from "../domain/event.ts";
import { diffLines } from "../gate/diff-lines.ts";
import { digestBytes, digestValue } from "../gate/digest.ts";
import { judge } from "../gate/judge.ts";
import { approvalFacts, approve } from "../gate/land.ts";
import { askVerifier } from "../gate/verifier.ts";
import type { AttemptOutcome } from "./attempt-outcome.ts";
import type { AttemptPlace } from "./attempt-place.ts";
import { holdWhileClosed } from "./hold.ts";
import type { LoopTools } from "./tools.ts";

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
  const patch = await place.quarantine.patch(place.base.tree, proposal.tree, record.policy.budget.patch);
  if (!patch.ok || !report || digestBytes(patch.patch) !== proposal.patch)
    throw new SallyportError("worktree-failed", "the proposal changed between collection and verification");
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
  );
  signal.throwIfAborted();
  if (!turn.verdict) {
    if (turn.reason === "over-budget") return { is: "over-budget", what: `the verifier's ${turn.message}` };
    if (turn.reason === "host")
      throw new SallyportError("sandbox-failed", turn.message, { next: "The next attempt is made by itself." });
    return {
      is: "rejected",
      by: "verifier",
      hard: false,
      findings: [{ reason: turn.reason, message: turn.message }],
      tree: proposal.tree,
    };
  }
  const { verdict } = turn;
  await tools.append({
    type: "verdict.received",
    delegation: id,
    data: { attempt: number, verdict, digest: digestValue(verdict) },
  });
  const judgement = judge(verdict, record.brief.accept, diffLines(patch.patch.toString("utf8")), report);
  if (!judgement.approved) {
    return { is: "rejected", by: "verifier", hard: judgement.hard, findings: judgement.findings, tree: proposal.tree };
  }
  // A gate that closed while the verdict was given: nothing is signed until it is open again.
  await holdWhileClosed(id, number, tools, signal);
  const facts = await approvalFacts(tools.record(id), number, place.quarantine, record.ref);
  await tools.append({ type: "delegation.approved", delegation: id, data: approve(facts, tools.key, tools.now()) });
  return { is: "approved" };
}
