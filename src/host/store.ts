/**
 * The ledger with the state folded out of it. Every decision is checked against the state, written, durable, and only
 * then visible: nothing acts on what could still be lost (write-ahead, invariant 9).
 */

import { LedgerGone } from "../delegation/loop.ts";
import { applyMission } from "../delegation/mission-reduce.ts";
import { applyPlan } from "../delegation/plan-reduce.ts";
import { apply } from "../delegation/reduce.ts";
import type { Delegation } from "../domain/delegation.ts";
import { SallyportError } from "../domain/error.ts";
import { type Entry, type Event, type EventType, events } from "../domain/event.ts";
import type { MissionRecord } from "../domain/mission-record.ts";
import type { PlanRecord } from "../domain/plan-record.ts";
import { type Closed, type GateState, openGate, stepGate } from "../gate/calibration/gate-state.ts";
import type { Ledger } from "../ledger/open.ts";

export interface Store {
  /** Throws `not-found`. */
  record(id: string): Delegation;
  find(id: string): Delegation | undefined;
  list(): Delegation[];
  /** Throws `not-found`. */
  plan(id: string): PlanRecord;
  findPlan(id: string): PlanRecord | undefined;
  plans(): PlanRecord[];
  /** Throws `not-found`. */
  mission(id: string): MissionRecord;
  missions(): MissionRecord[];
  /** Delegations, plans and missions in the order in which they were accepted, with the line that says so. */
  accepted(): readonly { seq: number; id: string }[];
  /** Whether the gate is open, and what its canaries came to. */
  gate(): GateState;
  append(event: Event): Promise<Entry>;
  note(event: Event): void;
  ledger: Ledger;
  /** Set once the ledger has refused an append: nothing further is decided. */
  readonly broken: SallyportError | undefined;
}

/** What a closed gate stops. What has happened at a ref already is still written down. */
const throughTheGate: ReadonlySet<EventType> = new Set<EventType>([
  "delegation.approved",
  "landing.intended",
  "action.intended",
]);

const acceptances: ReadonlySet<EventType> = new Set(["delegation.accepted", "plan.accepted", "mission.accepted"]);

/** The refusal of a closed gate. */
export function gateClosed({ reason, since }: Closed): SallyportError {
  return new SallyportError("gate-closed", `the gate is closed since ${since}: ${reason}`, {
    next: "Nothing was changed. What this verifier approved is suspect: an operator looks at `sallyport gate status`, and opens it with `sallyport gate open --reason TEXT`.",
  });
}

/** Folds the whole ledger and follows it. `replay` is given each entry that is there already. */
export async function openStore(
  ledger: Ledger,
  onBroken: (error: SallyportError) => void,
  onFault: (error: unknown) => void,
  replay: (entry: Entry) => void = () => undefined,
): Promise<Store> {
  const durable = new Map<string, Delegation>();
  const plans = new Map<string, PlanRecord>();
  const missions = new Map<string, MissionRecord>();
  let gate = openGate;
  const accepted: { seq: number; id: string }[] = [];
  const follow = (entry: Entry) => {
    if (acceptances.has(entry.type) && entry.delegation) accepted.push({ seq: entry.seq, id: entry.delegation });
    gate = stepGate(gate, entry);
    apply(durable, entry);
    applyPlan(plans, entry);
    applyMission(missions, entry);
  };
  for await (const entry of ledger.read()) {
    follow(entry);
    replay(entry);
  }
  // What has been written but is not yet durable: two decisions at once are judged one after the other.
  const pending = new Map(durable);
  const pendingPlans = new Map(plans);
  const pendingMissions = new Map(missions);
  let pendingGate = gate;
  ledger.subscribe(follow);
  let broken: SallyportError | undefined;

  const check = (event: Event) => {
    if (broken) throw new LedgerGone("ledger-failed", broken.message, { next: broken.next });
    // Before it is folded: an event that the ledger would not take must not change what is decided on.
    const parsed = events[event.type].safeParse(event.data);
    if (!parsed.success) {
      throw new SallyportError(
        "internal",
        `an event of type ${event.type} is not valid: ${parsed.error.message.slice(0, 500)}`,
        {
          next: "This is a fault of Sallyport: nothing was recorded.",
        },
      );
    }
    // The last word, whoever asks: nothing is signed for landing, and no landing begins, while the gate is closed.
    if (pendingGate.closed && throughTheGate.has(event.type)) throw gateClosed(pendingGate.closed);
    const dated = { ...event, time: new Date().toISOString() };
    apply(pending, dated);
    applyPlan(pendingPlans, dated);
    applyMission(pendingMissions, dated);
    pendingGate = stepGate(pendingGate, dated);
  };
  const fail = (cause: unknown): never => {
    const error =
      cause instanceof SallyportError ? cause : new SallyportError("ledger-failed", String(cause), { cause });
    if (!broken) {
      broken = error;
      onBroken(error);
    }
    throw new LedgerGone("ledger-failed", error.message, { next: error.next, cause });
  };

  return {
    ledger,
    get broken() {
      return broken;
    },
    record(id) {
      const record = durable.get(id);
      if (!record)
        throw new SallyportError("not-found", `there is no delegation ${id}`, { next: "See `sallyport list`." });
      return record;
    },
    find: (id) => durable.get(id),
    plan(id) {
      const plan = plans.get(id);
      if (!plan) throw new SallyportError("not-found", `there is no plan ${id}`, { next: "See `sallyport list`." });
      return plan;
    },
    findPlan: (id) => plans.get(id),
    mission(id) {
      const mission = missions.get(id);
      if (!mission)
        throw new SallyportError("not-found", `there is no mission ${id}`, { next: "See `sallyport list`." });
      return mission;
    },
    missions: () => [...missions.values()],
    accepted: () => accepted,
    plans: () => [...plans.values()],
    list: () => [...durable.values()],
    gate: () => gate,
    async append(event) {
      check(event);
      return ledger.append(event).catch(fail);
    },
    note(event) {
      if (broken) return;
      try {
        check(event);
        ledger.record(event);
      } catch (error) {
        // What is only noted decides nothing: its loss is told to the operator, and does not end the daemon.
        onFault(error);
      }
    },
  };
}
