/** The planner's two words, land and discard: what they need, in which order, and what is written before it is done. */
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import { approvalFacts, approve, carryOutLanding, planLanding } from "../gate/land.ts";
import { readRef } from "../worktree/host-repository.ts";
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
export async function landDelegation(id: string, ref: string, tools: DecideTools): Promise<{ ref: string; commit: string }> {
  const record = tools.record(id);
  let approval = approvedOnly(record);
  const repository = await tools.openRepository(record.repository);
  const quarantine = await tools.openQuarantine(repository);
  if (ref !== approval.predicate.ref) {
    // Another target at the same base: what was tested and verified is the same, so a new approval names the old one.
    const at = await readRef(repository, ref);
    if (at !== null && at !== record.base) {
      throw new SallyportError("target-moved", `${ref} is at ${at.slice(0, 12)}, not at the base ${record.base.slice(0, 12)}`, {
        next: `Nothing was changed. Delegate again with --base ${ref}.`,
      });
    }
    const facts = await approvalFacts(record, approval.attempt, quarantine, ref);
    approval = approve(facts, tools.key, tools.now(), approval.digest);
    await tools.append({ type: "delegation.approved", delegation: id, data: approval });
  }
  const landing = await planLanding(tools.record(id), approval.approval, ref, { repository, quarantine, key: tools.key, now: tools.now() });
  const { tree: _tree, parent: _parent, ...intent } = landing;
  await tools.append({ type: "landing.intended", delegation: id, data: intent });
  try {
    await carryOutLanding(landing, { repository, quarantine });
  } catch (error) {
    if ((await readRef(repository, ref)) !== landing.commit) {
      await tools.append({ type: "landing.abandoned", delegation: id, data: { reason: error instanceof Error ? error.message : String(error) } });
      throw error;
    }
  }
  await tools.append({ type: "delegation.landed", delegation: id, data: { ref, commit: landing.commit, approval: landing.approval } });
  return { ref, commit: landing.commit };
}

/**
 * After a crash between intent and landing: the ref tells what happened. At the commit (or past it): landed. Still
 * where it was: carried out again, to the same commit. Anything else: abandoned.
 */
export async function resumeLanding(record: Delegation, tools: DecideTools): Promise<void> {
  const { intent, id } = record;
  if (!intent || !record.approval) return;
  const repository = await tools.openRepository(record.repository);
  const at = await readRef(repository, intent.ref);
  if (at === intent.from) {
    await tools.append({ type: "landing.abandoned", delegation: id, data: { reason: "cut by a crash before the ref moved" } });
    await landDelegation(id, intent.ref, tools);
  } else if (at === intent.commit) {
    await tools.append({ type: "delegation.landed", delegation: id, data: { ref: intent.ref, commit: intent.commit, approval: intent.approval } });
  } else {
    await tools.append({ type: "landing.abandoned", delegation: id, data: { reason: `${intent.ref} was moved by somebody else` } });
  }
}

/** Gives up what was approved. The proposal's ref in quarantine goes too. */
export async function discardDelegation(id: string, by: string, tools: DecideTools): Promise<void> {
  const record = tools.record(id);
  await tools.append({ type: "delegation.discarded", delegation: id, data: { by } });
  const quarantine = await tools.openQuarantine(await tools.openRepository(record.repository));
  for (const attempt of record.attempts) await quarantine.drop(`${id}/${attempt.number}`).catch(() => {});
}
