/**
 * State is a fold over the ledger. This is the fold: from one delegation's record and the next event to the next
 * record. Pure, total, and strict about order: an event that the state does not allow is a fault of the host, and is
 * refused before it is written (ATTACKS V7).
 */
import { candidatesOf } from "../domain/brief.ts";
import { type Attempt, type Delegation, endStates, type State } from "../domain/delegation.ts";
import type { EventData, EventType } from "../domain/event.ts";
import { stepAction } from "./reduce-action.ts";
import { approvedBy, checkApproved, stepLanding, withoutLanding } from "./reduce-landing.ts";
import { type Dated, refuse } from "./refuse-event.ts";
import { withReservation, withSettlement } from "./spend.ts";

export type Delegations = ReadonlyMap<string, Delegation>;

/** From which states an event may come. What is not listed changes no state and may come at any time. */
const allowedFrom: Partial<Record<EventType, readonly State[]>> = {
  "delegation.started": ["accepted", "preparing", "verifying"],
  "attempt.started": ["preparing"],
  "attempt.executed": ["executing"],
  "proposal.collected": ["collecting"],
  "tests.reported": ["testing"],
  "verdict.received": ["verifying"],
  "delegation.held": ["verifying"],
  "delegation.released": ["verifying"],
  "delegation.approved": ["verifying", "approved"],
  "landing.asked": ["approved"],
  "landing.refused": ["approved"],
  "landing.merged": ["approved"],
  "landing.tested": ["approved"],
  "landing.verified": ["approved"],
  "landing.intended": ["approved"],
  "landing.abandoned": ["approved"],
  "delegation.landed": ["approved"],
  "action.intended": ["approved", "landed"],
  "action.ended": ["approved", "landed", "discarded"],
  "attempt.rejected": ["executing", "collecting", "testing", "verifying"],
  "attempt.failed": ["executing", "collecting", "testing", "verifying"],
  "delegation.rejected": ["preparing", "executing", "collecting", "testing", "verifying"],
  "executor.chosen": ["preparing"],
  "stuck.detected": ["executing"],
  "delegation.stuck": ["preparing", "executing", "collecting"],
  "delegation.over-budget": ["preparing", "executing", "collecting", "testing", "verifying"],
  "delegation.discarded": ["accepted", "preparing", "executing", "collecting", "testing", "verifying", "approved"],
  "delegation.bisected": ["preparing"],
  "delegation.failed": ["accepted", "preparing", "executing", "collecting", "testing", "verifying"],
};

function withAttempt(record: Delegation, change: Partial<Attempt>): Attempt[] {
  return record.attempts.map((attempt, index) =>
    index === record.attempts.length - 1 ? { ...attempt, ...change } : attempt,
  );
}

/** The record after an event. Throws `state-refused` where the event cannot follow. */
export function step(record: Delegation | undefined, event: Dated): Delegation | undefined {
  if (event.type === "delegation.accepted") {
    if (record || !event.delegation) refuse(event, record?.state ?? "unnamed");
    return {
      ...event.data,
      id: event.delegation,
      state: "accepted",
      accepted: event.time,
      updated: event.time,
      attempts: [],
      sandboxes: [],
      spend: {},
      reservations: {},
      denials: 0,
      denied: [],
      executor: candidatesOf(event.data.brief)[0] ?? "",
    };
  }
  if (!record) {
    if (allowedFrom[event.type]) refuse(event, "unknown");
    return record;
  }
  const allowed = allowedFrom[event.type];
  if (allowed && !allowed.includes(record.state)) refuse(event, record.state);
  // The attempt that an event speaks of is the one that runs.
  const current = record.attempts.at(-1);
  if (
    allowed &&
    "attempt" in event.data &&
    event.type !== "attempt.started" &&
    event.type !== "executor.chosen" &&
    current &&
    event.data.attempt !== current.number
  ) {
    refuse(event, `at attempt ${current.number}`);
  }
  const next = { ...record, updated: event.time };
  const to = (state: State, change: Partial<Delegation> = {}): Delegation => {
    const { held: _, ...rest } = next;
    return { ...rest, ...change, state };
  };
  switch (event.type) {
    case "delegation.started":
      if (record.state !== "verifying") return to("preparing");
      // Taken up again where it was held: what it proposed is still to be verified.
      if (!isHeld(record)) refuse(event, record.state);
      return next;
    case "attempt.started": {
      const { attempt, from } = event.data;
      if (attempt !== record.attempts.length + 1) refuse(event, `at attempt ${record.attempts.length}`);
      // A plan's combined whole has no executor: the host makes its proposal.
      const first = record.plan?.combines ? "collecting" : "executing";
      const executor = record.plan?.combines ? "" : record.executor;
      return to(first, { attempts: [...record.attempts, { number: attempt, from, executor }] });
    }
    case "executor.chosen":
      if (event.data.attempt !== record.attempts.length + 1) refuse(event, `at attempt ${record.attempts.length}`);
      return {
        ...next,
        executor: event.data.executor,
        images: { ...record.images, executor: event.data.image },
      };
    case "stuck.detected": {
      const { attempt, detector, why } = event.data;
      return { ...next, detected: { attempt, detector, why } };
    }
    case "attempt.executed":
      return to("collecting", { attempts: withAttempt(record, { end: event.data.end }) });
    case "proposal.collected":
      if (event.data.proposal.attempt !== current?.number) refuse(event, `at attempt ${current?.number}`);
      return to("testing", { attempts: withAttempt(record, { proposal: event.data.proposal }) });
    case "tests.reported":
      return to("verifying", {
        attempts: withAttempt(record, { report: event.data.report, reportDigest: event.data.digest }),
      });
    case "verdict.received":
      // The first valid one counts (ATTACKS V4).
      if (current?.verdict) refuse(event, "in possession of a verdict");
      if (event.data.member) return { ...next, attempts: withAttempt(record, { panel: withMember(record, event) }) };
      if (record.panel && !current?.panel) refuse(event, "judged by none of its panel");
      return {
        ...next,
        attempts: withAttempt(record, { verdict: event.data.verdict, verdictDigest: event.data.digest }),
      };
    case "delegation.held":
      return { ...next, held: event.data.reason };
    case "delegation.released": {
      const { held, ...rest } = next;
      if (held === undefined) refuse(event, "not held");
      return rest;
    }
    case "attempt.rejected": {
      const { attempt: _, tree: _tree, ...rejection } = event.data;
      return to("preparing", { attempts: withAttempt(record, { rejection }) });
    }
    case "attempt.failed": {
      const { code, message } = event.data;
      return to("preparing", { attempts: withAttempt(record, { failure: { code, message } }) });
    }
    case "delegation.approved":
      checkApproved(record, event);
      return { ...withoutLanding(to("approved")), ...approvedBy(record, event.data) };
    case "landing.asked":
    case "landing.refused":
    case "landing.merged":
    case "landing.tested":
    case "landing.verified":
    case "landing.intended":
    case "landing.abandoned":
    case "delegation.landed":
      return stepLanding(record, next, event);
    case "action.intended":
    case "action.ended":
      return stepAction(record, next, event);
    case "delegation.rejected":
      return to(event.data.hard ? "rejected-hard" : "rejected", { reason: event.data.message });
    case "delegation.stuck":
      return to("stuck", { reason: event.data.reason, ...(event.data.by ? { stuckBy: event.data.by } : {}) });
    case "delegation.over-budget":
      return to("over-budget", { reason: event.data.what });
    case "delegation.discarded":
      // The ref may have moved already: first it is settled what became of the landing.
      if (record.intent) refuse(event, "landing");
      return withoutLanding({ ...to("discarded"), reason: `discarded by ${event.data.by}` });
    case "delegation.bisected":
      return { ...next, bisected: event.data };
    case "delegation.failed":
      return to("failed", { reason: event.data.message });
    case "sandbox.started": {
      const { sandbox, role, attempt } = event.data;
      return {
        ...next,
        sandboxes: [...record.sandboxes, { id: sandbox, role, attempt, started: event.time, requests: 0, denied: 0 }],
      };
    }
    case "sandbox.ended": {
      const { sandbox, milliseconds, end } = event.data;
      return { ...next, sandboxes: record.sandboxes.map((s) => (s.id === sandbox ? { ...s, milliseconds, end } : s)) };
    }
    case "request": {
      const { sandbox, decision } = event.data;
      const denied = decision === "deny" ? 1 : 0;
      const sandboxes = record.sandboxes.map((s) =>
        s.id === sandbox ? { ...s, requests: s.requests + 1, denied: s.denied + denied } : s,
      );
      if (!denied) return { ...next, sandboxes };
      return { ...next, sandboxes, denials: record.denials + 1, denied: withDenied(record.denied, event.data) };
    }
    case "budget.reserved":
      return { ...next, ...withReservation(record, event.data), attempts: withModel(record, event.data) };
    case "budget.settled":
      return { ...next, ...withSettlement(record, event.data) };
    default:
      return next;
  }
}

/** The verdicts of a panel after another member's: each member has one, and is of the panel. */
function withMember(record: Delegation, event: Dated & { type: "verdict.received" }): NonNullable<Attempt["panel"]> {
  const { member, verdict, digest } = event.data;
  const before = record.attempts.at(-1)?.panel ?? [];
  const known = record.panel?.find((one) => one.harness === member?.harness && one.image === member.image);
  if (!known) refuse(event, "judged by another panel");
  if (before.some((one) => one.harness === known.harness)) refuse(event, `in possession of ${known.harness}'s verdict`);
  return [...before, { ...known, verdict, digest }];
}

/** The last five denied requests that differ: one that comes again counts, and is the newest. */
function withDenied(before: Delegation["denied"], request: EventData<"request">): Delegation["denied"] {
  const { method, url, code, rule } = request;
  const same = before.find((d) => d.method === method && d.url === url && d.code === code);
  return [...before.filter((d) => d !== same), { method, url, code, rule, count: (same?.count ?? 0) + 1 }].slice(-5);
}

/** The attempts, with the model that the executor of the running one asks first, and those that it asks after. */
function withModel(record: Delegation, { role, attempt, model }: EventData<"budget.reserved">): Attempt[] {
  const current = record.attempts.at(-1);
  if (role !== "executor" || current?.number !== attempt) return record.attempts;
  if (current.model === undefined) return withAttempt(record, { model });
  if (current.model === model || current.others?.includes(model)) return record.attempts;
  return withAttempt(record, { others: [...(current.others ?? []), model] });
}

/** The map of all delegations after an event; the map itself is changed in place by the one who owns it. */
export function apply(delegations: Map<string, Delegation>, event: Dated): void {
  if (!event.delegation?.startsWith("d-")) return;
  const record = step(delegations.get(event.delegation), event);
  if (record) delegations.set(event.delegation, record);
}

/** Whether it waits for the gate with its verifier still to be asked: then it goes on with that, also after a restart. */
export function isHeld(record: Delegation): boolean {
  return record.state === "verifying" && record.held !== undefined && record.attempts.at(-1)?.verdict === undefined;
}

/** Whether the loop must go on with this delegation after a restart. */
export function isUnfinished(record: Delegation): boolean {
  return !endStates.has(record.state) && record.state !== "approved";
}
