/** The planner's two words, land and discard: what they need, in which order, and what is written before it is done. */
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import { approvalFacts, approve, carryOutLanding, landingState, planLanding } from "../gate/land.ts";
import { cut } from "../gate/printable.ts";
import { checkApproval } from "../gate/sign-off.ts";
import { type HostRepository, readRef } from "../worktree/host-repository.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import type { LoopTools } from "./tools.ts";

type DecideTools = Pick<LoopTools, "record" | "append" | "openRepository" | "openQuarantine" | "key" | "now">;

function approvedOnly(record: Delegation): NonNullable<Delegation["approval"]> {
  if (record.state !== "approved" || !record.approval) {
    throw new SallyportError("approval-missing", `${record.id} is ${record.state}: there is nothing to land`, {
      next: record.state === "landed" ? "It has landed already." : `Look at it: \`sallyport show ${record.id}\`.`,
    });
  }
  return record.approval;
}

/** Lands an approved delegation on `ref`. Nothing is touched when any check fails. Returns the commit. */
export async function landDelegation(
  id: string,
  ref: string,
  tools: DecideTools,
): Promise<{ ref: string; commit: string }> {
  const { plan } = tools.record(id);
  if (plan?.brief) {
    throw new SallyportError("plan-member", `${id} is ${plan.brief} of the plan ${plan.id} and does not land alone`, {
      next: `Land the plan's combined whole once it is approved: \`sallyport land ${plan.id}\`.`,
    });
  }
  // A landing of which nothing more is recorded comes first: two at once are never under way (ATTACKS V7).
  if (tools.record(id).intent) await settleLanding(tools.record(id), tools);
  let record = tools.record(id);
  let approval = approvedOnly(record);
  const repository = await tools.openRepository(record.repository);
  const quarantine = await tools.openQuarantine(repository);
  if (ref !== approval.predicate.ref) {
    await carryOver(record, ref, { repository, quarantine }, tools);
    record = tools.record(id);
    approval = approvedOnly(record);
  }
  const place = { repository, quarantine, key: tools.key, now: tools.now() };
  const landing = await planLanding(record, approval.approval, ref, place);
  const { tree: _tree, parent: _parent, ...intent } = landing;
  await tools.append({ type: "landing.intended", delegation: id, data: intent });
  try {
    await carryOutLanding(landing, { repository, quarantine });
  } catch (error) {
    const shown = await landingState(landing, { repository, quarantine });
    if (shown !== "at" && shown !== "past") {
      await tools.append({ type: "landing.abandoned", delegation: id, data: { reason: reasonOf(error) } });
      throw error;
    }
  }
  const { commit, approval: digest } = landing;
  await tools.append({ type: "delegation.landed", delegation: id, data: { ref, commit, approval: digest } });
  return { ref, commit };
}

const reasonOf = (error: unknown) => cut(error instanceof Error ? error.message : String(error), 4000);

/**
 * Another target at the same base: what was tested and verified is the same, so a new approval names the old one. The
 * old one must still hold in every field, and for as long as it would have the new one holds (ATTACKS V5).
 */
async function carryOver(
  record: Delegation,
  ref: string,
  place: { repository: HostRepository; quarantine: Quarantine },
  tools: DecideTools,
): Promise<void> {
  const old = approvedOnly(record);
  const facts = await approvalFacts(record, old.attempt, place.quarantine, old.predicate.ref);
  const { expires } = checkApproval(old.approval, tools.key, facts, tools.now());
  const at = await readRef(place.repository, ref);
  if (at !== null && at !== record.base) {
    const found = `${ref} is at ${at.slice(0, 12)}, not at the base ${record.base.slice(0, 12)}`;
    throw new SallyportError("target-moved", found, {
      next: `Nothing was changed. Delegate again with --base ${ref}.`,
    });
  }
  const approval = approve({ ...facts, ref }, tools.key, tools.now(), { digest: old.digest, expires });
  await tools.append({ type: "delegation.approved", delegation: record.id, data: approval });
}

/** Looks up at the ref what became of a landing that was begun, and records it: landed, or abandoned. */
async function settleLanding(record: Delegation, tools: DecideTools): Promise<"landed" | "before" | "elsewhere"> {
  const { intent, id } = record;
  if (!intent) return "before";
  const repository = await tools.openRepository(record.repository);
  const quarantine = await tools.openQuarantine(repository);
  const shown = await landingState(intent, { repository, quarantine });
  if (shown === "at" || shown === "past") {
    const { ref, commit, approval } = intent;
    await tools.append({ type: "delegation.landed", delegation: id, data: { ref, commit, approval } });
    return "landed";
  }
  const reason = shown === "before" ? "cut before the ref moved" : `${intent.ref} was moved by somebody else`;
  await tools.append({ type: "landing.abandoned", delegation: id, data: { reason } });
  return shown;
}

/**
 * After a crash between intent and landing: the ref tells what happened. At the commit, or past it: landed. Still where
 * it was: carried out again, to the same commit. Anything else: abandoned.
 */
export async function resumeLanding(record: Delegation, tools: DecideTools): Promise<void> {
  const { intent, id } = record;
  if (!intent || !record.approval) return;
  if ((await settleLanding(record, tools)) === "before") await landDelegation(id, intent.ref, tools);
}

/** Gives up what was approved. The proposal's ref in quarantine goes too. */
export async function discardDelegation(id: string, by: string, tools: DecideTools): Promise<void> {
  if (tools.record(id).intent) await settleLanding(tools.record(id), tools);
  const record = tools.record(id);
  await tools.append({ type: "delegation.discarded", delegation: id, data: { by } });
  const quarantine = await tools.openQuarantine(await tools.openRepository(record.repository));
  for (const attempt of record.attempts) await quarantine.drop(`${id}/${attempt.number}`).catch(() => {});
}
