/**
 * The fold of plans: from one plan's record and the next event to the next record. As strict about order as the fold of
 * delegations: an event that the state does not allow is refused before it is written. Pure.
 */
import type { EventData, EventType } from "../domain/event.ts";
import type { PlanRecord, PlanState } from "../domain/plan-record.ts";
import { type Dated, refuse } from "./refuse-event.ts";

/** From which states an event may come. What is not listed changes no plan. */
const allowedFrom: Partial<Record<EventType, readonly PlanState[]>> = {
  "plan.conflicted": ["running"],
  "plan.mended": ["running"],
  "plan.unmended": ["running"],
  "plan.approved": ["running"],
  "plan.ended": ["running"],
  "plan.landed": ["approved"],
  "plan.discarded": ["running", "approved", "rejected", "stuck", "over-budget", "failed"],
};

/** The record after an event. Throws `state-refused` where the event cannot follow. */
export function stepPlan(record: PlanRecord | undefined, event: Dated): PlanRecord | undefined {
  if (event.type === "plan.accepted") {
    if (record || !event.delegation) refuse(event, record?.state ?? "unnamed");
    return {
      ...event.data,
      id: event.delegation,
      state: "running",
      accepted: event.time,
      updated: event.time,
      conflicts: [],
      answered: [],
      replaced: [],
    };
  }
  const allowed = allowedFrom[event.type];
  if (!record) {
    if (allowed) refuse(event, "unknown");
    return record;
  }
  if (allowed && !allowed.includes(record.state)) refuse(event, record.state);
  const next = { ...record, updated: event.time };
  switch (event.type) {
    case "plan.conflicted":
      return { ...next, conflicts: [...record.conflicts, event.data] };
    case "plan.mended":
    case "plan.unmended": {
      // Once for each brief: a second answer would go on for ever.
      if (record.answered.includes(event.data.brief)) refuse(event, `answered for ${event.data.brief}`);
      const answered = { ...next, answered: [...record.answered, event.data.brief] };
      return event.type === "plan.mended" ? mended(answered, event.data) : answered;
    }
    case "plan.approved":
      return { ...next, state: "approved", approval: event.data.approval };
    case "plan.landed":
      return { ...next, state: "landed", landed: event.data };
    case "plan.ended":
      return { ...next, state: event.data.state, reason: event.data.message };
    case "plan.discarded":
      return { ...next, state: "discarded", reason: `discarded by ${event.data.by}` };
    default:
      return next;
  }
}

function mended(record: PlanRecord, data: EventData<"plan.mended">): PlanRecord {
  const { brief, plan, delegation, admitted, combined, findings } = data;
  const before = record.briefs.find(({ id }) => id === brief);
  return {
    ...record,
    plan,
    findings,
    briefs: record.briefs.map((one) => (one.id === brief ? { id: brief, delegation, admitted } : one)),
    combined: { ...record.combined, admitted: combined },
    replaced: [...record.replaced, ...(before ? [before.delegation] : [])],
  };
}

/** The map of all plans after an event; changed in place by the one who owns it. */
export function applyPlan(plans: Map<string, PlanRecord>, event: Dated): void {
  if (!event.delegation?.startsWith("p-")) return;
  const record = stepPlan(plans.get(event.delegation), event);
  if (record) plans.set(event.delegation, record);
}
