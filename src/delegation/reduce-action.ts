/** The fold's part of actions: which may begin, and what became of them. Pure. */
import type { ActionRun, Delegation } from "../domain/delegation.ts";
import { type Dated, refuse } from "./refuse-event.ts";

type ActionEvent = Extract<Dated, { type: `action.${string}` }>;

/** The record after an event of an action; `next` is the record with the event's time. */
export function stepAction(record: Delegation, next: Delegation, event: ActionEvent): Delegation {
  switch (event.type) {
    case "action.intended":
      checkAction(record, event);
      return { ...next, actions: [...(record.actions ?? []), { ...event.data, intended: event.time }] };
    case "action.ended": {
      const { action, run, outcome, exit, message } = event.data;
      const isOpen = (one: ActionRun) => one.action === action && one.run === run && one.outcome === undefined;
      if (!record.actions?.some(isOpen)) refuse(event, "not doing that");
      return {
        ...next,
        actions: record.actions.map((one) => (isOpen(one) ? { ...one, outcome, exit, message } : one)),
      };
    }
  }
}

/** An action is the policy's, in its time, under the approval that counts, one run at a time; a second one is somebody's word. */
function checkAction(record: Delegation, event: Dated & { type: "action.intended" }): void {
  const { action: name, run, approval, again } = event.data;
  const action = Object.hasOwn(record.policy.actions ?? {}, name) ? record.policy.actions?.[name] : undefined;
  if (!action) refuse(event, `without an action ${name}`);
  if (record.plan?.brief) refuse(event, `a part of ${record.plan.id}`);
  if (action.on === "landed" && record.state !== "landed") refuse(event, "not landed");
  if (record.intent || record.asked) refuse(event, "landing");
  if (approval !== record.approval?.digest) refuse(event, "approved otherwise");
  const before = (record.actions ?? []).filter((one) => one.action === name);
  if (run !== before.length + 1) refuse(event, `at run ${before.length} of ${name}`);
  if (before.some((one) => one.outcome === undefined)) refuse(event, `doing ${name}`);
  if (!again && before.some((one) => one.approval === approval)) refuse(event, `done with ${name}`);
}
