/** Missions at work: each turn of a planner takes a lane, and the plan between them runs as any plan does. */
import { cutTurn, runMission } from "../delegation/mission.ts";
import { nextTurn, viewMission } from "../delegation/mission-reduce.ts";
import type { MissionTools } from "../delegation/mission-tools.ts";
import type { MissionView } from "../domain/mission-record.ts";
import type { PlanView } from "../domain/plan-record.ts";
import type { Lanes } from "./lanes.ts";
import type { Plans } from "./plans.ts";
import type { Store } from "./store.ts";

export interface Missions {
  /** Puts the turn that is due, if one is, into a lane. */
  advance(id: string): void;
  /** After a start of the host: turns that were cut are ended, and what is due goes on. */
  advanceAll(): Promise<void>;
  /** One turn, in a lane. */
  run(id: string, signal: AbortSignal): Promise<void>;
  view(id: string): MissionView;
  /** Ends it: the turn that runs, or the plan that came of it. */
  stop(id: string, by: string): Promise<void>;
  close(): void;
}

export function openMissions(parts: {
  store: Store;
  plans: Plans;
  lanes: () => Lanes;
  tools: Omit<MissionTools, "mission" | "plan" | "planOf" | "find">;
}): Missions {
  const { store, plans, lanes } = parts;
  const planOf = (id: string): PlanView | undefined => {
    const { plan } = store.mission(id);
    return store.findPlan(plan) && plans.view(plan);
  };
  const tools: MissionTools = { ...parts.tools, mission: store.mission, plan: store.plan, planOf, find: store.find };
  // A lane has it, or it waits for one.
  const due = new Set<string>();
  const unsubscribe = store.ledger.subscribe((entry) => {
    const ofPlan = entry.delegation?.startsWith("p-") || entry.type === "delegation.landed";
    // A brief that is stuck may be its planner's to mend.
    if (!ofPlan && entry.type !== "stuck.escalated") return;
    for (const mission of store.missions()) advance(mission.id);
  });

  function advance(id: string): void {
    if (due.has(id) || !nextTurn(store.mission(id), planOf(id)) || !lanes().hasRoom()) return;
    due.add(id);
    lanes().enqueue(id);
  }

  return {
    advance,
    async advanceAll() {
      for (const { id } of store.missions()) {
        await cutTurn(id, tools, "cut by a crash of the host");
        advance(id);
      }
    },
    async run(id, signal) {
      try {
        await runMission(id, tools, signal);
      } finally {
        due.delete(id);
        // Its plan may have come to rest meanwhile.
        queueMicrotask(() => signal.aborted || advance(id));
      }
    },
    view: (id) => viewMission(store.mission(id), planOf(id)),
    async stop(id, by) {
      const plan = planOf(id);
      if (plan) return plans.discard(plan.id, by);
      await lanes().stop(id, "discarded");
      due.delete(id);
      const record = store.mission(id);
      if (record.end || record.report) return;
      await tools.append({
        type: "mission.ended",
        delegation: id,
        data: { state: "discarded", message: `ended by ${by}` },
      });
    },
    close: unsubscribe,
  };
}
