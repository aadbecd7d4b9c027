/**
 * What a plan does next, told from its record and its delegations alone: after a crash the same is told again. Pure.
 */
import { type Delegation, endStates } from "../domain/delegation.ts";
import type { PlanBrief, PlanEnd } from "../domain/plan.ts";
import type { BriefView, PlanRecord, PlanView } from "../domain/plan-record.ts";

export type PlanStep =
  | { is: "start"; brief: PlanBrief; delegation: string }
  | { is: "combine" }
  | { is: "approved"; approval: string }
  | { is: "landed"; ref: string; commit: string }
  | { is: "ended"; state: PlanEnd; message: string }
  | { is: "discard"; delegation: string };

type Lookup = (delegation: string) => Delegation | undefined;

/** The briefs of a plan, each after those that it comes after; otherwise in the order in which they are written. */
export function inOrder(briefs: readonly PlanBrief[]): PlanBrief[] {
  const placed: PlanBrief[] = [];
  const open = [...briefs];
  while (open.length > 0) {
    const at = open.findIndex((brief) => brief.after.every((id) => placed.some((done) => done.id === id)));
    // A cycle never gets here: the lint refuses it.
    placed.push(...open.splice(Math.max(0, at), 1));
  }
  return placed;
}

/**
 * The stuck brief that the plan's planner harness is asked about: once for each brief, and only where a harness made the
 * plan. While it is asked the plan does not end.
 */
export function askedAbout(plan: PlanRecord, lookup: Lookup): { brief: string; delegation: string } | undefined {
  if (plan.mission === undefined || plan.state !== "running") return undefined;
  const asked = plan.briefs.find(
    ({ id, delegation }) => !plan.answered.includes(id) && lookup(delegation)?.state === "stuck",
  );
  return asked && { brief: asked.id, delegation: asked.delegation };
}

/** What is left to be done of a plan, at most one step; undefined while it waits for a delegation or for the planner. */
export function nextStep(plan: PlanRecord, lookup: Lookup): PlanStep | undefined {
  const delegationOf = (id: string) => plan.briefs.find((brief) => brief.id === id)?.delegation ?? "";
  const recordOf = (id: string) => lookup(delegationOf(id));
  const combined = lookup(plan.combined.delegation);
  if (plan.state === "discarded") {
    const all = [...plan.briefs.map((brief) => brief.delegation), ...plan.replaced, plan.combined.delegation].map(
      lookup,
    );
    const left = all.find((record) => record && !endStates.has(record.state));
    return left && { is: "discard", delegation: left.id };
  }
  if (combined?.landed && plan.state === "approved") {
    return { is: "landed", ref: combined.landed.ref, commit: combined.landed.commit };
  }
  if (plan.state !== "running") return undefined;
  if (combined) return afterCombined(combined);

  const order = inOrder(plan.plan.briefs);
  const blocked = new Set(plan.conflicts.map((conflict) => conflict.brief));
  const start = order.find(
    (brief) =>
      !recordOf(brief.id) && !blocked.has(brief.id) && brief.after.every((id) => recordOf(id)?.state === "approved"),
  );
  if (start) return { is: "start", brief: start, delegation: delegationOf(start.id) };
  const records = order.map((brief) => recordOf(brief.id));
  if (records.some((record) => record && record.state !== "approved" && !endStates.has(record.state))) return undefined;
  if (records.every((record) => record?.state === "approved") && plan.conflicts.length === 0) return { is: "combine" };
  return askedAbout(plan, lookup) ? undefined : ended(plan, order, recordOf);
}

function afterCombined(combined: Delegation): PlanStep | undefined {
  if (combined.approval && (combined.state === "approved" || combined.state === "landed"))
    return { is: "approved", approval: combined.approval.digest };
  if (!endStates.has(combined.state)) return undefined;
  const end = endOf(combined);
  return {
    is: "ended",
    state: end,
    message: `the combined whole: ${combined.bisected?.message ?? combined.reason ?? end}`,
  };
}

function endOf(record: Delegation): PlanEnd {
  if (record.state === "stuck" || record.state === "over-budget" || record.state === "failed") return record.state;
  return "rejected";
}

/** What the planner should look at first: a brief that needs its decision, then the host's own faults. */
const gravest: readonly PlanEnd[] = ["stuck", "over-budget", "rejected", "failed"];

function ended(plan: PlanRecord, order: readonly PlanBrief[], recordOf: Lookup): PlanStep {
  const ends: { state: PlanEnd; text: string }[] = [];
  const never: string[] = [];
  for (const brief of order) {
    const record = recordOf(brief.id);
    const conflict = plan.conflicts.find((one) => one.brief === brief.id);
    if (conflict) ends.push({ state: "rejected", text: conflictText(conflict) });
    else if (!record) never.push(brief.id);
    else if (record.state !== "approved")
      ends.push({
        state: endOf(record),
        text: `${brief.id} is ${record.state}: ${whyEnded(record)}`,
      });
  }
  for (const conflict of plan.conflicts.filter((one) => one.brief === undefined))
    ends.push({ state: "rejected", text: conflictText(conflict) });
  const state = gravest.find((one) => ends.some((end) => end.state === one)) ?? "failed";
  const kept = order.filter((brief) => recordOf(brief.id)?.state === "approved").map((brief) => brief.id);
  const message = [
    ...ends.map((end) => end.text),
    ...(never.length > 0 ? [`never started: ${never.join(", ")}`] : []),
    ...(kept.length > 0 ? [`approved and kept in quarantine until the plan is discarded: ${kept.join(", ")}`] : []),
  ].join("; ");
  return { is: "ended", state, message: message.slice(0, 8000).toWellFormed() };
}

/** The reason, and the first finding of the last rejection: what the planner would look up next. */
function whyEnded(record: Delegation): string {
  const finding = record.attempts.at(-1)?.rejection?.findings[0];
  const shown =
    finding && finding.message !== record.reason ? ` (${finding.message.split("\n")[0]?.slice(0, 500)})` : "";
  return `${record.reason ?? "no reason is recorded"}${shown}`;
}

function conflictText({ brief, between, paths }: PlanRecord["conflicts"][number]): string {
  const what = brief
    ? `${brief} cannot start: what ${between.join(" and ")} made`
    : `what ${between.join(" and ")} made`;
  return `${what} does not merge: conflict in ${paths.slice(0, 20).join(", ")}`;
}

/** A plan as it is shown. */
export function viewPlan(plan: PlanRecord, lookup: Lookup): PlanView {
  const briefs = plan.plan.briefs.map((brief): BriefView => {
    const delegation = plan.briefs.find((one) => one.id === brief.id)?.delegation ?? "";
    const record = lookup(delegation);
    return {
      id: brief.id,
      title: brief.title,
      after: brief.after,
      delegation,
      state: record?.state ?? (plan.state === "running" ? "waiting" : "never started"),
      attempts: record?.attempts.length ?? 0,
      ...(record?.reason ? { reason: record.reason } : {}),
    };
  });
  const { id, state, reason, repository, base, ref, accepted, updated, findings, conflicts, approval, landed } = plan;
  const whole = lookup(plan.combined.delegation);
  const asks = askedAbout(plan, lookup);
  return {
    id,
    state,
    ...(reason ? { reason } : {}),
    title: plan.plan.title,
    repository,
    base,
    ref,
    accepted,
    updated,
    findings,
    briefs,
    conflicts,
    ...(asks ? { asks } : {}),
    combined: {
      delegation: plan.combined.delegation,
      state: whole?.state ?? "waiting",
      ...(whole?.reason ? { reason: whole.reason } : {}),
      ...(whole?.asked ? { asked: whole.asked.ref } : {}),
      ...(whole?.notLanded ? { notLanded: whole.notLanded } : {}),
      ...(whole?.bisected ? { culprits: whole.bisected.culprits } : {}),
    },
    // One that was carried to another target, or to where it moved, took the place of the first.
    ...(approval ? { approval: whole?.approval?.digest ?? approval } : {}),
    ...(landed ? { landed } : {}),
  };
}
