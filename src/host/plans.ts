/**
 * Plans at work: their briefs run in the host's lanes as soon as what they come after is approved, then the combined
 * whole does. What comes next is told from the ledger alone (`nextStep`), so a crash between any two steps costs nothing.
 */
import { discardDelegation, type Landed } from "../delegation/decide.ts";
import { LedgerGone } from "../delegation/loop.ts";
import { inOrder, nextStep, type PlanStep, viewPlan } from "../delegation/plan-advance.ts";
import { mergeParts } from "../delegation/plan-merge.ts";
import { isUnfinished } from "../delegation/reduce.ts";
import type { LoopTools } from "../delegation/tools.ts";
import { type Delegation, endStates } from "../domain/delegation.ts";
import { asSallyportError, SallyportError } from "../domain/error.ts";
import type { PlanRecord, PlanView } from "../domain/plan-record.ts";
import type { Landings } from "./landings.ts";
import type { Lanes } from "./lanes.ts";
import type { Log } from "./log.ts";
import type { Store } from "./store.ts";

export interface Plans {
  /** Takes every step that can be taken now of one plan. */
  advance(id: string): Promise<void>;
  /** The same for all plans: after a start of the host. */
  advanceAll(): Promise<void>;
  view(id: string): PlanView;
  /** Gives it up with all that its briefs proposed; ends what runs. Throws `state-refused` once it has landed. */
  discard(id: string, by: string): Promise<void>;
  /** Lands the approved whole, and nothing else. */
  land(id: string, ref: string): Promise<Landed>;
  /** No further step is taken; resolves when none is under way. */
  close(): Promise<void>;
}

export function openPlans(parts: {
  store: Store;
  lanes: Lanes;
  tools: LoopTools;
  log: Log;
  landings: Pick<Landings, "land" | "cancel">;
}): Plans {
  const { store, lanes, tools, log, landings } = parts;
  const turns = new Map<string, Promise<void>>();
  let closed = false;
  // A delegation that rests may let its plan go on, or give a place in the queue to another plan.
  const unsubscribe = store.ledger.subscribe((entry) => {
    if (closed) return;
    // Its planner has had its turn about a stuck brief: nothing keeps it from its end.
    if (entry.type === "plan.unmended" && entry.delegation) void advance(entry.delegation);
    if (!entry.delegation?.startsWith("d-")) return;
    const record = store.find(entry.delegation);
    if (!record || !(endStates.has(record.state) || record.state === "approved")) return;
    for (const plan of store.plans().filter(isMoving)) void advance(plan.id);
  });

  /** One after the other for each plan. */
  function advance(id: string): Promise<void> {
    const turn = (turns.get(id) ?? Promise.resolve())
      .then(() => steps(id))
      .catch((error: unknown) => {
        if (!(error instanceof LedgerGone)) log.error({ plan: id, err: error }, "a plan does not go on");
      })
      .finally(() => {
        if (turns.get(id) === turn) turns.delete(id);
      });
    turns.set(id, turn);
    return turn;
  }

  async function steps(id: string): Promise<void> {
    while (!closed) {
      const plan = store.plan(id);
      const step = nextStep(plan, store.find);
      // A full queue is not the plan's fault: it goes on when a delegation rests.
      if (!step || ((step.is === "start" || step.is === "combine") && !lanes.hasRoom())) return;
      try {
        await take(plan, step);
      } catch (thrown) {
        if (closed || thrown instanceof LedgerGone) return;
        log.error({ plan: id, err: thrown }, "a step of a plan failed");
        if (store.plan(id).state !== "running") return;
        const message = asSallyportError(thrown).message.slice(0, 8000).toWellFormed();
        await tools.append({ type: "plan.ended", delegation: id, data: { state: "failed", message } });
        return;
      }
    }
  }

  async function take(plan: PlanRecord, step: PlanStep): Promise<void> {
    const delegation = plan.id;
    switch (step.is) {
      case "start":
        return start(plan, step);
      case "combine":
        return combine(plan);
      case "discard":
        return discardOne(step.delegation);
      case "approved":
        return void (await tools.append({ type: "plan.approved", delegation, data: { approval: step.approval } }));
      case "landed":
        return void (await tools.append({
          type: "plan.landed",
          delegation,
          data: { ref: step.ref, commit: step.commit },
        }));
      case "ended":
        return void (await tools.append({
          type: "plan.ended",
          delegation,
          data: { state: step.state, message: step.message },
        }));
    }
  }

  /** A brief starts from what it comes after: the host's base, one approved tree, or several merged. */
  async function start(plan: PlanRecord, { brief, delegation }: Extract<PlanStep, { is: "start" }>): Promise<void> {
    const admitted = plan.briefs.find((one) => one.id === brief.id)?.admitted;
    if (!admitted) throw new SallyportError("internal", `${plan.id} has no ${brief.id}`);
    const quarantine = await tools.openQuarantine(await tools.openRepository(plan.repository));
    const from = await mergeParts(quarantine, plan.base, approvedParts(plan, brief.after), new Date(plan.accepted));
    if (!("commit" in from)) {
      await tools.append({ type: "plan.conflicted", delegation: plan.id, data: { brief: brief.id, ...from } });
      return;
    }
    const part = { id: plan.id, root: plan.base, brief: brief.id };
    await tools.append({
      type: "delegation.accepted",
      delegation,
      data: { ...admitted, base: from.commit, plan: part },
    });
    lanes.enqueue(delegation);
  }

  async function combine(plan: PlanRecord): Promise<void> {
    const quarantine = await tools.openQuarantine(await tools.openRepository(plan.repository));
    const combines = approvedParts(
      plan,
      plan.plan.briefs.map(({ id }) => id),
    );
    const whole = await mergeParts(quarantine, plan.base, combines, new Date(plan.accepted));
    if (!("commit" in whole)) {
      await tools.append({ type: "plan.conflicted", delegation: plan.id, data: whole });
      return;
    }
    const { delegation, admitted } = plan.combined;
    await tools.append({
      type: "delegation.accepted",
      delegation,
      data: { ...admitted, base: plan.base, plan: { id: plan.id, root: plan.base, combines } },
    });
    lanes.enqueue(delegation);
  }

  /** The approved proposals of some briefs, in the plan's order. */
  function approvedParts(plan: PlanRecord, ids: readonly string[]) {
    return inOrder(plan.plan.briefs)
      .filter(({ id }) => ids.includes(id))
      .map(({ id }) => {
        const delegation = plan.briefs.find((one) => one.id === id)?.delegation ?? "";
        const record = store.record(delegation);
        const attempt = record.attempts.find((one) => one.number === record.approval?.attempt);
        if (!record.approval || !attempt?.proposal)
          throw new SallyportError("approval-missing", `${id} of ${plan.id} is not approved`);
        return { brief: id, delegation, commit: attempt.proposal.commit, approval: record.approval.digest };
      });
  }

  async function discardOne(id: string): Promise<void> {
    if (isUnfinished(store.record(id))) {
      await lanes.stop(id, "discarded");
      if (isUnfinished(store.record(id)))
        await tools.append({ type: "delegation.discarded", delegation: id, data: { by: "its plan" } });
    }
    await landings.cancel(id);
    if (!endStates.has(store.record(id).state)) await discardDelegation(id, "its plan", tools);
  }

  return {
    advance,
    async advanceAll() {
      for (const plan of store.plans()) if (isMoving(plan)) await advance(plan.id);
    },
    view: (id) => viewPlan(store.plan(id), store.find),
    async discard(id, by) {
      const plan = store.plan(id);
      if (plan.state !== "discarded") await tools.append({ type: "plan.discarded", delegation: id, data: { by } });
      await advance(id);
    },
    async land(id, ref) {
      const plan = store.plan(id);
      const whole = store.find(plan.combined.delegation);
      if (plan.state !== "approved" || !whole) throw notApproved(plan, whole);
      const landed = await landings.land(plan.combined.delegation, ref);
      await advance(id);
      return landed;
    },
    async close() {
      closed = true;
      unsubscribe();
      await Promise.allSettled(turns.values());
    },
  };
}

/** Whether a step of a plan may be left: also of one that waits to be landed, or whose parts are still to be discarded. */
function isMoving(plan: PlanRecord): boolean {
  return plan.state === "running" || plan.state === "approved" || plan.state === "discarded";
}

function notApproved(plan: PlanRecord, whole: Delegation | undefined): SallyportError {
  const found = whole && plan.state === "running" ? `its combined whole is ${whole.state}` : `it is ${plan.state}`;
  return new SallyportError("approval-missing", `${plan.id}: there is nothing to land, ${found}`, {
    next: plan.state === "landed" ? "It has landed already." : `Look at it: \`sallyport show ${plan.id}\`.`,
  });
}
