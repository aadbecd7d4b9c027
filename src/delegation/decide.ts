/** The planner's two words, land and discard: what they need, in which order, and what is written before it is done. */
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import {
  approvalFacts,
  approve,
  carryOutLanding,
  currentFacts,
  endOfVerdict,
  landingState,
  planLanding,
} from "../gate/land.ts";
import { type LandingTarget, landingTarget, takeOver } from "../gate/landing-target.ts";
import { cut } from "../gate/printable.ts";
import { checkApproval } from "../gate/sign-off.ts";
import type { Quarantine } from "../worktree/quarantine.ts";
import { keptMerge, type LandTools, prepareLanding } from "./prepare-landing.ts";

/** The approval of a delegation that can be landed. Errors: `approval-missing`. */
export function approvedOnly(record: Delegation): NonNullable<Delegation["approval"]> {
  if (record.state !== "approved" || !record.approval) {
    throw new SallyportError("approval-missing", `${record.id} is ${record.state}: there is nothing to land`, {
      next: record.state === "landed" ? "It has landed already." : `Look at it: \`sallyport show ${record.id}\`.`,
    });
  }
  return record.approval;
}

/** What a landing came to. */
export interface Landed {
  /** The branch that was moved. */
  ref: string;
  commit: string;
  /** The approval that it landed under. */
  approval: string;
  /** Where the branch that was asked for is checked out: how its owner takes over what landed beside it. */
  beside?: { ref: string; worktree: string; command: string };
  /** Where the target had moved: with what it was merged, and whose verdict it rests on. */
  merged?: { onto: string; verdict: "carried" | "anew"; replaces: string };
}

/** How often a landing begins again because the target moved in its midst. */
const mostRounds = 3;

/** Lands an approved delegation on `ref`. Nothing is touched when any check fails. */
export async function landDelegation(
  id: string,
  ref: string,
  tools: LandTools,
  signal: AbortSignal = new AbortController().signal,
): Promise<Landed> {
  refusePart(tools.record(id));
  // A landing of which nothing more is recorded comes first: two at once are never under way (ATTACKS V7).
  if (tools.record(id).intent) await settleLanding(tools.record(id), tools);
  for (let round = 1; ; round++) {
    signal.throwIfAborted();
    const landed = await landOnce(id, ref, tools, signal);
    if (landed !== "moved") return landed;
    if (round < mostRounds) continue;
    throw new SallyportError("target-moved", `${ref} moved ${mostRounds} times while it was landed on`, {
      next: "Nothing was changed. Land again when it is quiet there.",
    });
  }
}

/** A brief of a plan lands with the whole, or not at all. */
export function refusePart({ id, plan }: Delegation): void {
  if (!plan?.brief) return;
  throw new SallyportError("plan-member", `${id} is ${plan.brief} of the plan ${plan.id} and does not land alone`, {
    next: `Land the plan's combined whole once it is approved: \`sallyport land ${plan.id}\`.`,
  });
}

async function landOnce(id: string, asked: string, tools: LandTools, signal: AbortSignal): Promise<Landed | "moved"> {
  const { quarantine, repository, target } = await lookUp(id, asked, tools);
  const { approval, prepared, base } = tools.record(id);
  const place = { repository, quarantine };
  const isFor = approval?.predicate.ref === target.ref && approval.predicate.base === target.onto;
  if (!isFor) {
    if (target.onto !== base) await prepareLanding(id, target, place, tools, signal);
    else await carryOver(id, target.ref, quarantine, tools);
    // Testing takes its time: what moved meanwhile is merged and tested too.
    const now = await landingTarget(tools.record(id), asked, place);
    if (now.ref !== target.ref || now.onto !== target.onto) return "moved";
  } else if (prepared === undefined && target.onto !== base) {
    throw new SallyportError("approval-invalid", `the approval of ${id} is for a merge that is not recorded`);
  }
  // Whoever gave it up meanwhile was in time: the branch has not moved.
  signal.throwIfAborted();
  const record = tools.record(id);
  const landing = await planLanding(record, approvedOnly(record).approval, target, {
    quarantine,
    key: tools.key,
    now: tools.now(),
  });
  const { tree: _tree, parent: _parent, ...intent } = landing;
  await tools.append({ type: "landing.intended", delegation: id, data: intent });
  try {
    await carryOutLanding(landing, place);
  } catch (error) {
    const shown = await landingState(landing, place);
    if (shown !== "at" && shown !== "past") {
      await tools.append({ type: "landing.abandoned", delegation: id, data: { reason: reasonOf(error) } });
      if (error instanceof SallyportError && error.code === "target-moved") return "moved";
      throw error;
    }
  }
  const { commit, approval: digest, ref } = landing;
  await tools.append({ type: "delegation.landed", delegation: id, data: { ref, commit, approval: digest } });
  return landedAs(record, target, commit);
}

/** The repository, its quarantine, and where the landing goes. */
async function lookUp(id: string, asked: string, tools: LandTools) {
  const record = tools.record(id);
  approvedOnly(record);
  const repository = await tools.openRepository(record.repository);
  const quarantine = await tools.openQuarantine(repository);
  const target = await landingTarget(record, asked, { repository, quarantine });
  if (target.beside) {
    try {
      tools.checkTarget?.(record.planner, record.repository, target.ref);
    } catch (error) {
      const found = `${asked} is checked out in ${target.beside.worktree}, and ${reasonOf(error)}, the branch beside it`;
      const next = `Nothing was changed. Land onto another branch. ${error instanceof SallyportError ? error.next : ""}`;
      throw new SallyportError("target-checked-out", found, { next, cause: error });
    }
  }
  return { repository, quarantine, target };
}

function landedAs(record: Delegation, target: LandingTarget, commit: string): Landed {
  const { approval, prepared } = record;
  const { ref, beside } = target;
  return {
    ref,
    commit,
    approval: approval?.digest ?? "",
    ...(beside ? { beside: { ...beside, command: takeOver(beside.worktree, ref) } } : {}),
    ...(prepared && prepared.onto !== record.base
      ? {
          merged: {
            onto: prepared.onto,
            verdict: prepared.verify ? ("anew" as const) : ("carried" as const),
            replaces: approval?.predicate.replaces ?? "",
          },
        }
      : {}),
  };
}

const reasonOf = (error: unknown) => cut(error instanceof Error ? error.message : String(error), 4000);

/**
 * Another target at the delegation's base: what was tested and verified is the same, so a new approval names the old one.
 * The old one must still hold in every field, and for as long as it would have the new one holds (ATTACKS V5).
 */
async function carryOver(id: string, ref: string, quarantine: Quarantine, tools: LandTools): Promise<void> {
  if (tools.record(id).preparing) {
    const reason = "the target is at the base again";
    await tools.append({ type: "landing.abandoned", delegation: id, data: { reason } });
  }
  const record = tools.record(id);
  const old = approvedOnly(record);
  checkApproval(old.approval, tools.key, await currentFacts(record, quarantine), tools.now());
  const facts = await approvalFacts(record, old.attempt, quarantine, ref);
  const data = approve(facts, tools.key, tools.now(), {
    lifetime: record.policy.landing?.expires,
    replaces: old.digest,
    until: endOfVerdict(record, facts.verdict),
  });
  await tools.append({ type: "delegation.approved", delegation: id, data });
}

/**
 * Has an approved delegation verified again, on its target as that is now, and signs a new approval that begins anew: the
 * one way to go on once an approval is over. The tests run again too. Returns the new approval.
 */
export async function verifyAgain(
  id: string,
  ref: string,
  tools: LandTools,
  signal: AbortSignal = new AbortController().signal,
): Promise<{ approval: string; expires: string }> {
  if (tools.record(id).intent) await settleLanding(tools.record(id), tools);
  const { quarantine, repository, target } = await lookUp(id, ref, tools);
  await prepareLanding(id, target, { repository, quarantine }, tools, signal, true);
  const { digest, predicate } = approvedOnly(tools.record(id));
  return { approval: digest, expires: predicate.expires };
}

/** Looks up at the ref what became of a landing that was begun, and records it: landed, or abandoned. */
export async function settleLanding(record: Delegation, tools: LandTools): Promise<"landed" | "before" | "elsewhere"> {
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
export async function resumeLanding(record: Delegation, tools: LandTools): Promise<void> {
  const { intent, id } = record;
  if (!intent || !record.approval) return;
  if ((await settleLanding(record, tools)) === "before") await landDelegation(id, intent.ref, tools);
}

/** Gives up what was approved. The proposal's ref in quarantine goes too. */
export async function discardDelegation(id: string, by: string, tools: LandTools): Promise<void> {
  if (tools.record(id).intent) await settleLanding(tools.record(id), tools);
  const record = tools.record(id);
  await tools.append({ type: "delegation.discarded", delegation: id, data: { by } });
  const quarantine = await tools.openQuarantine(await tools.openRepository(record.repository));
  for (const attempt of record.attempts) await quarantine.drop(`${id}/${attempt.number}`).catch(() => {});
  await quarantine.drop(keptMerge(id)).catch(() => {});
}
