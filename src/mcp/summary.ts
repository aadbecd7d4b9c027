/**
 * Records as a model's context can hold them: what it is, what to do next, and where there is more. Texts that an
 * executor, a verifier or code under test wrote are cut, escaped and named as what they are. Pure.
 */
import { costReport } from "../delegation/cost.ts";
import { dossierOf } from "../delegation/dossier.ts";
import { type Attempt, type Delegation, restingStates } from "../domain/delegation.ts";
import type { MissionView } from "../domain/mission-record.ts";
import { type PlanView, restingPlanStates } from "../domain/plan-record.ts";
import type { Finding } from "../domain/rejection.ts";
import { cut, printable } from "../gate/printable.ts";

/** Findings of one attempt that are shown; the others are counted. */
const mostFindings = 5;
const mostText = 400;

const short = (text: string) => {
  const whole = printable(text);
  return whole.length <= mostText ? whole : `${cut(whole, mostText)}…`;
};

function findingOf(finding: Finding): object {
  const { reason, message, path, line, criterion } = finding;
  return {
    reason,
    ...(path === undefined ? {} : { at: line === undefined ? path : `${path}:${line}` }),
    ...(criterion === undefined ? {} : { criterion }),
    message: short(message),
  };
}

function attemptOf(attempt: Attempt): object {
  const { number, executor, proposal, report, rejection, failure, verdict } = attempt;
  const findings = rejection?.findings ?? [];
  return {
    attempt: number,
    executor,
    outcome: failure ? "failed" : rejection ? `rejected by the ${rejection.by}` : (verdict?.decision ?? "running"),
    ...(proposal ? { paths: proposal.changes.length, patchBytes: proposal.patchBytes } : {}),
    ...(report?.tested
      ? { tests: { failToPass: report.failToPass.length, passToPass: report.passToPass.length } }
      : {}),
    ...(findings.length > 0 ? { findings: findings.slice(0, mostFindings).map(findingOf) } : {}),
    ...(findings.length > mostFindings ? { moreFindings: findings.length - mostFindings } : {}),
    ...(failure ? { failure: { code: failure.code, message: short(failure.message) } } : {}),
  };
}

/** What a planner does with a delegation in this state. */
function nextOf(id: string, state: string, rests: boolean, landing?: string): string {
  if (landing !== undefined)
    return `It is being landed on ${landing}, or waits for its turn: that goes on by itself. Call wait with id ${id}.`;
  if (!rests) return `Call wait with id ${id} until rests is true.`;
  switch (state) {
    case "approved":
      return `Read it with diff, then land ${id}, or discard it.`;
    case "landed":
      return "Done.";
    case "stuck":
      return "Read reason and dossier; change the brief, or take the work back. It does not go on by itself.";
    case "over-budget":
      return "The budget ended it. Make the brief smaller, or ask the operator for a larger budget.";
    case "failed":
      return "The host's own fault, never the executor's: ask the operator, or delegate again.";
    case "discarded":
      return "It was given up.";
    default:
      return "Read the findings of the last attempt; a better brief says what they missed. Delegate again.";
  }
}

const usd = (micro: number) => Number((micro / 1_000_000).toFixed(6));

/** A delegation, in about 2 KB at most for an attempt. */
export function delegationSummary(record: Delegation): Record<string, unknown> {
  const landing = record.asked?.ref;
  const rests = restingStates.has(record.state) && landing === undefined;
  const { total } = costReport([record]);
  const dossier = dossierOf(record);
  return {
    id: record.id,
    state: record.state,
    rests,
    title: record.brief.title,
    ...(record.reason ? { reason: short(record.reason), reasonBy: record.stuckBy ?? "host" } : {}),
    ...landingOf(landing, record.notLanded),
    base: record.base,
    ref: record.ref,
    attempts: record.attempts.map(attemptOf),
    attemptsLeft: Math.max(0, record.policy.budget.attempts - record.attempts.length),
    spent: { requests: total.requests, tokens: total.tokens, usd: usd(total.microusd) },
    ...(record.denials > 0
      ? {
          denied: record.denied.map(({ method, url, code, count }) => ({ method, url: short(url), code, count })),
        }
      : {}),
    ...(record.approval
      ? { approval: { digest: record.approval.digest, expires: record.approval.predicate.expires } }
      : {}),
    ...(record.landed ? { landed: record.landed } : {}),
    ...(dossier ? { dossier } : {}),
    updated: record.updated,
    next: nextOf(record.id, record.state, rests, landing),
  };
}

/** A plan with its briefs. */
export function planSummary(view: PlanView): Record<string, unknown> {
  const { id, state, title, base, ref, updated, briefs, combined, conflicts, findings, landed } = view;
  const landing = combined.asked;
  const rests = restingPlanStates.has(state) && landing === undefined;
  return {
    id,
    state,
    rests,
    title,
    ...(view.reason ? { reason: short(view.reason) } : {}),
    ...landingOf(landing, combined.notLanded),
    base,
    ref,
    briefs: briefs.map((brief) => ({ ...brief, ...(brief.reason ? { reason: short(brief.reason) } : {}) })),
    combined: {
      delegation: combined.delegation,
      state: combined.state,
      ...(combined.culprits ? { culprits: combined.culprits } : {}),
      ...(combined.reason ? { reason: short(combined.reason) } : {}),
    },
    ...(conflicts.length > 0 ? { conflicts } : {}),
    ...(findings.length > 0 ? { warnings: findings.map(({ rule, message }) => ({ rule, message })) } : {}),
    ...(landed ? { landed } : {}),
    updated,
    next: nextOf(id, state, rests, landing),
  };
}

/** A landing that is under way, and why the last one came to nothing. */
function landingOf(landing: string | undefined, notLanded: Delegation["notLanded"]): Record<string, unknown> {
  return {
    ...(landing === undefined ? {} : { landing }),
    ...(notLanded ? { notLanded: { ...notLanded, message: short(notLanded.message) } } : {}),
  };
}

/** A mission with its plan. */
export function missionSummary(view: MissionView): Record<string, unknown> {
  const { id, state, updated, report } = view;
  const landing = view.plan?.combined.asked;
  const rests = view.rests && landing === undefined;
  return {
    id,
    state,
    rests,
    ...(view.reason ? { reason: short(view.reason) } : {}),
    ...(view.plan ? { plan: planSummary(view.plan) } : {}),
    ...(report ? { report: short(report.text) } : {}),
    updated,
    next: nextOf(id, state, rests, landing),
  };
}

/** What an id names, shown short. */
export function summaryOf(id: string, record: unknown): Record<string, unknown> {
  if (id.startsWith("p-")) return planSummary(record as PlanView);
  if (id.startsWith("m-")) return missionSummary(record as MissionView);
  return delegationSummary(record as Delegation);
}
