/** What a delegation, a plan or a mission cost, with all that came of it. */
import { type CostReport, costReport, plannerSpender, type Spender } from "../delegation/cost.ts";
import type { Store } from "./store.ts";

/** The report of an id of any of them. Throws `not-found`. */
export function costOf(store: Store, id: string): CostReport {
  return costReport(spendersOf(store, id));
}

function spendersOf(store: Store, id: string): Spender[] {
  if (id.startsWith("m-")) {
    const mission = store.mission(id);
    return [plannerSpender(mission), ...(store.findPlan(mission.plan) ? spendersOf(store, mission.plan) : [])];
  }
  if (!id.startsWith("p-")) return [store.record(id)];
  const { briefs, combined } = store.plan(id);
  const made = [...briefs, combined].map(({ delegation }) => store.find(delegation));
  return made.filter((record) => record !== undefined);
}
