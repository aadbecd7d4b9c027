/** One row of a list: a delegation, a plan or a mission in a few words. Pure. */
import { type Delegation, restingStates } from "../../domain/delegation.ts";
import type { MissionRecord, MissionView } from "../../domain/mission-record.ts";
import type { Summary } from "../../domain/page.ts";
import type { PlanRecord } from "../../domain/plan-record.ts";
import { type PlanView, restingPlanStates } from "../../domain/plan-record.ts";
import { line } from "./text.ts";

type Spend = Summary["spend"];

function spendOf({ spend, reservations }: Pick<Delegation, "spend" | "reservations">, requests: number): Spend {
  const parts = [...Object.values(spend), ...Object.values(reservations)];
  return {
    requests,
    tokens: parts.reduce((sum, part) => sum + part.tokens, 0),
    microusd: parts.reduce((sum, part) => sum + part.microusd, 0),
  };
}

const sum = (parts: readonly Spend[]): Spend => ({
  requests: parts.reduce((all, part) => all + part.requests, 0),
  tokens: parts.reduce((all, part) => all + part.tokens, 0),
  microusd: parts.reduce((all, part) => all + part.microusd, 0),
});

/** Why it is where it is: its own reason, or the first finding of the last attempt while that is rejected. */
function reasonOf(record: Delegation): string | undefined {
  const { reason, held } = record;
  if (reason !== undefined) return line(reason);
  if (held !== undefined) return line(held);
  const finding = record.attempts.at(-1)?.rejection?.findings[0];
  return finding ? line(`${finding.reason}: ${finding.message}`) : undefined;
}

/** A delegation's row. */
export function summaryOfDelegation(record: Delegation, mission?: string): Summary {
  const reason = reasonOf(record);
  const model = record.attempts.findLast((attempt) => attempt.model !== undefined)?.model;
  const requests = record.sandboxes.reduce((all, one) => all + one.requests, 0);
  return {
    id: record.id,
    kind: "delegation",
    title: line(record.brief.title),
    state: record.state,
    rests: restingStates.has(record.state) && !record.asked,
    ...(record.held === undefined ? {} : { held: line(record.held) }),
    ...(record.plan?.combines ? {} : { executor: record.executor }),
    ...(model === undefined ? {} : { model: line(model, 128) }),
    policy: record.policy.name,
    repository: line(record.repository, 4096),
    base: record.base,
    ref: line(record.ref, 1024),
    created: record.accepted,
    updated: record.updated,
    attempts: record.attempts.length,
    attemptsMax: record.policy.budget.attempts,
    spend: spendOf(record, requests),
    denied: record.denials,
    ...(record.landed ? { landed: { ref: record.landed.ref, commit: record.landed.commit } } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(record.plan ? { plan: record.plan.id } : {}),
    ...(record.plan?.brief === undefined ? {} : { brief: record.plan.brief }),
    ...(mission === undefined ? {} : { mission }),
    planner: line(record.planner, 200),
  };
}

/** A plan's row: what its delegations came to, together. */
export function summaryOfPlan(record: PlanRecord, view: PlanView, members: readonly Summary[]): Summary {
  const { id, state, title, repository, base, ref, accepted, updated, landed, reason } = view;
  const policies = new Set(record.plan.briefs.map((brief) => brief.policy));
  const rests = restingPlanStates.has(state);
  return {
    id,
    kind: "plan",
    title: line(title),
    state,
    rests,
    ...(policies.size === 1 ? { policy: [...policies].join() } : {}),
    repository: line(repository, 4096),
    base,
    ref: line(ref, 1024),
    created: accepted,
    updated: [updated, ...members.map((one) => one.updated)].sort().at(-1) ?? updated,
    attempts: record.plan.briefs.length,
    spend: sum(members.map(({ spend }) => spend)),
    denied: members.reduce((all, { denied }) => all + denied, 0),
    ...(landed ? { landed: { ref: landed.ref, commit: landed.commit } } : {}),
    ...(reason === undefined ? {} : { reason: line(reason) }),
    ...(record.mission === undefined ? {} : { mission: record.mission }),
    planner: line(record.planner, 200),
  };
}

/** A mission's row: its planner's turns, and what its plan came to. */
export function summaryOfMission(record: MissionRecord, view: MissionView, plan: Summary | undefined): Summary {
  const own = spendOf(
    record,
    record.turns.reduce((all, turn) => all + turn.requests, 0),
  );
  return {
    id: record.id,
    kind: "mission",
    title: line(record.mission, 120),
    state: view.state,
    rests: view.rests,
    executor: record.harness,
    policy: record.policy.name,
    repository: line(record.repository, 4096),
    base: record.base,
    ref: line(record.ref, 1024),
    created: record.accepted,
    updated: plan && plan.updated > record.updated ? plan.updated : record.updated,
    attempts: record.turns.length,
    spend: plan ? sum([own, plan.spend]) : own,
    denied: plan?.denied ?? 0,
    ...(plan?.landed ? { landed: plan.landed } : {}),
    ...(view.reason === undefined ? {} : { reason: line(view.reason) }),
    ...(view.plan ? { plan: view.plan.id } : {}),
    planner: line(record.planner, 200),
  };
}
