/** The fold of missions: from one mission's record and the next event to the next record. Strict about order, and pure. */
import type { EventType } from "../domain/event.ts";
import type { PlannerPurpose } from "../domain/mission.ts";
import type { MissionRecord, MissionView, PlannerTurn } from "../domain/mission-record.ts";
import { type PlanView, restingPlanStates } from "../domain/plan-record.ts";
import { type Dated, refuse } from "./refuse-event.ts";
import { withReservation, withSettlement } from "./spend.ts";

/** Events that nothing may follow: the mission has its report, or its end. */
const last: ReadonlySet<EventType> = new Set<EventType>(["mission.reported", "mission.ended"]);

function withTurn(record: MissionRecord, number: number | undefined, change: (turn: PlannerTurn) => PlannerTurn) {
  return record.turns.map((turn) => (turn.number === number ? change(turn) : turn));
}

/** The record after an event. Throws `state-refused` where the event cannot follow. */
export function stepMission(record: MissionRecord | undefined, event: Dated): MissionRecord | undefined {
  if (event.type === "mission.accepted") {
    if (record || !event.delegation) refuse(event, "there already");
    return {
      ...event.data,
      id: event.delegation,
      accepted: event.time,
      updated: event.time,
      turns: [],
      sandboxes: {},
      spend: {},
      reservations: {},
    };
  }
  if (!record) {
    if (last.has(event.type) || event.type === "planner.started" || event.type === "planner.ended")
      refuse(event, "unknown");
    return record;
  }
  const next = { ...record, updated: event.time };
  if (last.has(event.type) && (record.report || record.end)) refuse(event, record.report ? "reported" : "ended");
  switch (event.type) {
    case "planner.started": {
      const { turn, purpose } = event.data;
      if (record.end || record.report) refuse(event, "over");
      if (turn !== record.turns.length + 1) refuse(event, `at turn ${record.turns.length}`);
      const begun = { number: turn, purpose, started: event.time, refused: [], ended: false, requests: 0 };
      return { ...next, turns: [...record.turns, begun] };
    }
    case "planner.refused": {
      const { message } = event.data;
      return {
        ...next,
        turns: withTurn(record, event.data.turn, (turn) => ({ ...turn, refused: [...turn.refused, message] })),
      };
    }
    case "planner.ended": {
      const { turn: number, end, message } = event.data;
      if (record.turns.at(-1)?.number !== number || record.turns.at(-1)?.ended)
        refuse(event, `at turn ${record.turns.length}`);
      return {
        ...next,
        turns: withTurn(record, number, (turn) => ({ ...turn, ended: true, message, ...(end ? { end } : {}) })),
      };
    }
    case "sandbox.started":
      return { ...next, sandboxes: { ...record.sandboxes, [event.data.sandbox]: event.data.attempt } };
    case "sandbox.ended": {
      const { sandbox, milliseconds } = event.data;
      return { ...next, turns: withTurn(record, record.sandboxes[sandbox], (turn) => ({ ...turn, milliseconds })) };
    }
    case "request": {
      const number = record.sandboxes[event.data.sandbox];
      return { ...next, turns: withTurn(record, number, (turn) => ({ ...turn, requests: turn.requests + 1 })) };
    }
    case "budget.reserved":
      return { ...next, ...withReservation(record, event.data) };
    case "budget.settled":
      return { ...next, ...withSettlement(record, event.data) };
    case "mission.reported":
      return { ...next, report: event.data };
    case "mission.ended":
      return { ...next, end: event.data };
    default:
      return next;
  }
}

/** The map of all missions after an event; changed in place by the one who owns it. */
export function applyMission(missions: Map<string, MissionRecord>, event: Dated): void {
  if (!event.delegation?.startsWith("m-")) return;
  const record = stepMission(missions.get(event.delegation), event);
  if (record) missions.set(event.delegation, record);
}

/** What the host does next for a mission: a turn of its planner, or nothing. Told from the records alone. */
export function nextTurn(record: MissionRecord, plan: PlanView | undefined): PlannerPurpose | undefined {
  if (record.end || record.report) return undefined;
  if (!plan) return "plan";
  if (plan.asks) return "mend";
  return restingPlanStates.has(plan.state) ? "report" : undefined;
}

/** A mission as it is shown. */
export function viewMission(record: MissionRecord, plan: PlanView | undefined): MissionView {
  const { id, mission, repository, base, ref, harness, policy, accepted, updated, turns, report, end } = record;
  const reason = end?.message ?? plan?.reason;
  return {
    id,
    state: end?.state ?? plan?.state ?? "planning",
    rests: end !== undefined || report !== undefined,
    ...(reason ? { reason } : {}),
    mission,
    repository,
    base,
    ref,
    harness,
    policy: policy.name,
    accepted,
    updated,
    turns,
    ...(plan ? { plan } : {}),
    ...(report ? { report } : {}),
  };
}
