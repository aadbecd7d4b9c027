/** The verifiers' part of an attempt: their turns, what the host makes of the verdicts, and the approval. */
import { join } from "node:path";
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import type { Proposal } from "../domain/event.ts";
import { digestBytes, digestValue } from "../gate/digest.ts";
import { approvalFacts, approve } from "../gate/land.ts";
import { type Judge, judgesOf } from "../gate/panel.ts";
import { shownDiff } from "../gate/shown-diff.ts";
import type { MoreOfCase } from "../gate/verifier.ts";
import { askVerifiers } from "./ask-verifiers.ts";
import type { AttemptOutcome } from "./attempt-outcome.ts";
import type { AttemptPlace } from "./attempt-place.ts";
import { holdWhileClosed } from "./hold.ts";
import { type Party, partyOf, requireIndependence } from "./independence.ts";
import type { LoopTools } from "./tools.ts";
import { verifierTurnsOver } from "./verifier-turns.ts";

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
  const answers = await askVerifiers(
    {
      record,
      attempt: number,
      brief: record.brief,
      report,
      patch: patch.patch,
      shown: await shownDiff(place.quarantine, place.base.tree, proposal.tree, limit),
      directory: join(place.directory, `verify-${number}`),
      reviewOf: (who) => reviewOf(record, number, proposal, place, who),
      turnsOver: () => verifierTurnsOver(tools.record(id)),
      async onVerdict(who, verdict) {
        const member = record.panel ? { member: { harness: who.harness, image: who.image } } : {};
        const data = { attempt: number, verdict, digest: digestValue(verdict), ...member };
        await tools.append({ type: "verdict.received", delegation: id, data });
      },
    },
    tools,
    signal,
  );
  if (answers.is === "over-budget") return answers;
  if (answers.is === "rejected") {
    const { hard, findings, notes } = answers;
    return { is: "rejected", by: "verifier", hard, findings, tree: proposal.tree, ...(notes ? { notes } : {}) };
  }
  if (record.panel) {
    const { verdict } = answers;
    const data = { attempt: number, verdict, digest: digestValue(verdict) };
    await tools.append({ type: "verdict.received", delegation: id, data });
  }
  // A gate that closed while the verdicts were given: nothing is signed until it is open again.
  await holdWhileClosed(id, number, tools, signal);
  const facts = await approvalFacts(tools.record(id), number, place.quarantine, record.ref);
  const data = approve(facts, tools.key, tools.now(), { lifetime: record.policy.landing?.expires });
  await tools.append({ type: "delegation.approved", delegation: id, data });
  return { is: "approved" };
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
