/** The list of delegations, plans and missions: newest first, filtered, a page at a time, from what is in memory. */
import type { Delegation } from "../../domain/delegation.ts";
import type { MissionView } from "../../domain/mission-record.ts";
import type { Summaries, SummariesQuery, Summary } from "../../domain/page.ts";
import type { PlanView } from "../../domain/plan-record.ts";
import type { Store } from "../store.ts";
import { summaryOfDelegation, summaryOfMission, summaryOfPlan } from "./summary.ts";

/** What the list is made of. */
export interface ListParts {
  store: Pick<Store, "accepted" | "find" | "record" | "plan" | "findPlan" | "mission">;
  viewPlan(id: string): PlanView;
  viewMission(id: string): MissionView;
}

export interface SummaryList {
  /** One row. Throws `not-found`. */
  one(id: string): Summary;
  page(query: SummariesQuery): Summaries;
}

/** A list over the records as they are at each call. A record that has not changed is not looked at twice. */
export function listSummaries({ store, viewPlan, viewMission }: ListParts): SummaryList {
  const known = new WeakMap<Delegation, { summary: Summary; text: string }>();
  const textOf = (one: Summary) =>
    [one.title, one.id, one.executor, one.model, one.policy, one.repository, one.ref, one.state]
      .join(" ")
      .toLowerCase();

  const ofDelegation = (record: Delegation) => {
    const before = known.get(record);
    if (before) return before;
    const mission = record.plan && store.findPlan(record.plan.id)?.mission;
    const summary = summaryOfDelegation(record, mission);
    const made = { summary, text: textOf(summary) };
    known.set(record, made);
    return made;
  };
  const ofPlan = (id: string): Summary => {
    const record = store.plan(id);
    const ids = [...record.briefs.map(({ delegation }) => delegation), record.combined.delegation, ...record.replaced];
    const members = [...new Set(ids)].flatMap((one) => {
      const member = store.find(one);
      return member ? [ofDelegation(member).summary] : [];
    });
    return summaryOfPlan(record, viewPlan(id), members);
  };
  const ofMission = (id: string): Summary => {
    const record = store.mission(id);
    return summaryOfMission(record, viewMission(id), store.findPlan(record.plan) ? ofPlan(record.plan) : undefined);
  };
  const made = (id: string) => {
    if (id.startsWith("d-")) return ofDelegation(store.record(id));
    const summary = id.startsWith("p-") ? ofPlan(id) : ofMission(id);
    return { summary, text: textOf(summary) };
  };

  return {
    one: (id) => made(id).summary,
    page({ limit, before, state, executor, kind, q }) {
      const order = store.accepted();
      const end = before === undefined ? Number.POSITIVE_INFINITY : Number(before);
      const states = state === undefined ? undefined : new Set(state.split(","));
      const words = (q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
      const isFiltered = states !== undefined || executor !== undefined || kind !== undefined || words.length > 0;
      const summaries: Summary[] = [];
      let total = 0;
      let next: string | undefined;
      let last = 0;
      for (let index = order.length - 1; index >= 0; index--) {
        const { seq, id } = order[index] as { seq: number; id: string };
        if (!isFiltered && (seq >= end || next !== undefined)) {
          total += 1;
          continue;
        }
        if (kind !== undefined && !id.startsWith(kind.slice(0, 1))) continue;
        const { summary, text } = made(id);
        if (states && !states.has(summary.state)) continue;
        if (executor !== undefined && summary.executor !== executor) continue;
        if (!words.every((word) => text.includes(word))) continue;
        total += 1;
        if (seq >= end) continue;
        if (summaries.length < limit) {
          summaries.push(summary);
          last = seq;
        } else next ??= String(last);
      }
      return { total, summaries, ...(next === undefined ? {} : { next }) };
    },
  };
}
