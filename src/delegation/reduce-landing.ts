/** The fold's part from an approval to a landing: what may be approved, merged and landed, and in which order. Pure. */
import type { Delegation, PreparedLanding } from "../domain/delegation.ts";
import type { EventData } from "../domain/event.ts";
import { type Dated, refuse } from "./refuse-event.ts";

type LandingEvent = Extract<Dated, { type: `landing.${string}` | "delegation.landed" }>;

/** The record after an event of a landing; `next` is the record with the event's time. */
export function stepLanding(record: Delegation, next: Delegation, event: LandingEvent): Delegation {
  switch (event.type) {
    case "landing.asked":
      if (record.asked) refuse(event, `to be landed on ${record.asked.ref} already`);
      return { ...withoutRefusal(next), asked: event.data };
    case "landing.refused": {
      const { asked, ...rest } = next;
      if (!asked) refuse(event, "not asked for");
      return { ...rest, notLanded: { ref: asked.ref, ...event.data } };
    }
    case "landing.merged":
      if (record.intent || record.preparing) refuse(event, "landing already");
      return { ...next, preparing: event.data };
    case "landing.tested":
      if (!record.preparing || record.preparing.report) refuse(event, "without a merge to be tested");
      return {
        ...next,
        preparing: { ...record.preparing, report: event.data.report, reportDigest: event.data.digest },
      };
    case "landing.verified": {
      const { preparing } = record;
      // The first valid one counts here too; and nobody is asked about what was not tested.
      if (!preparing?.verify || !preparing.report || preparing.verdict) refuse(event, "without a merge to be verified");
      return {
        ...next,
        preparing: {
          ...preparing,
          verdict: event.data.verdict,
          verdictDigest: event.data.digest,
          ...(event.data.panel ? { panel: event.data.panel } : {}),
        },
      };
    }
    case "landing.intended": {
      const { approval, ref } = event.data;
      // A brief of a plan lands with the whole, or not at all.
      if (record.plan?.brief) refuse(event, `a part of ${record.plan.id}`);
      if (record.intent || record.preparing) refuse(event, "landing already");
      if (approval !== record.approval?.digest || ref !== record.approval.predicate.ref) {
        refuse(event, "approved for something else");
      }
      return { ...next, intent: event.data };
    }
    case "landing.abandoned": {
      const { intent, preparing, ...rest } = next;
      if (!intent && !preparing) refuse(event, "not landing");
      if (!preparing || !event.data.rejected) return rest;
      const { onto, tree } = preparing;
      return {
        ...rest,
        refusedMerges: [...(record.refusedMerges ?? []), { onto, tree, reason: event.data.reason }],
      };
    }
    case "delegation.landed": {
      const { intent, asked: _, ...rest } = next;
      const { commit, ref, approval } = event.data;
      if (!intent || intent.commit !== commit || intent.ref !== ref || intent.approval !== approval) {
        refuse(event, "landing something else");
      }
      return { ...rest, state: "landed", landed: event.data };
    }
  }
}

/** An approval is of the attempt that was verified last, says so in every field known here, and comes once. */
export function checkApproved(record: Delegation, event: Dated & { type: "delegation.approved" }): void {
  const { predicate, digest } = event.data;
  const current = record.attempts.at(-1);
  if (!current?.verdict || !current.proposal || !current.report || current.rejection || current.failure) {
    refuse(event, `${record.state} without a verdict`);
  }
  if (current.verdict.decision !== "approve") refuse(event, `verified as ${current.verdict.decision}`);
  const { preparing } = record;
  // Of a panel enough must approve what is approved now: the attempt, or the merge where that was judged anew.
  const panel = (preparing?.verify ? preparing.panel : current.panel) ?? [];
  const approvals = panel.filter((one) => one.verdict.decision === "approve").length;
  if (record.panel && approvals < (record.policy.verifier.panel?.approve ?? record.panel.length)) {
    refuse(event, `approved by ${approvals} of its panel`);
  }
  const said = [predicate.delegation, predicate.attempt, predicate.repository, predicate.base, predicate.tree];
  const known = [record.id, current.number, record.repository];
  known.push(...(preparing ? [preparing.onto, preparing.tree] : [record.base, current.proposal.tree]));
  if (said.some((value, index) => value !== known[index])) refuse(event, "not what is approved");
  if (record.state === "verifying") return;
  // Carried over to another target, or to one that moved: it names the one it takes the place of, and not while that is used.
  if (record.intent) refuse(event, "landing");
  if (predicate.replaces !== record.approval?.digest || digest === predicate.replaces) {
    refuse(event, "approved already");
  }
  if (preparing) checkPrepared(event, preparing, current.verdictDigest);
}

/** A merge is approved as it was tested; with the old verdict only where the verifier need not be asked again. */
function checkPrepared(
  event: Dated & { type: "delegation.approved" },
  preparing: PreparedLanding,
  carried: string | undefined,
): void {
  const { predicate } = event.data;
  const { ref, patch, reportDigest, verify, verdict, verdictDigest } = preparing;
  if (!reportDigest) refuse(event, "merged, and not tested");
  if (verify && verdict?.decision !== "approve") refuse(event, "merged, and not verified");
  const said = [predicate.ref, predicate.patch, predicate.testReport, predicate.verdict];
  const known = [ref, patch, reportDigest, verify ? verdictDigest : carried];
  if (said.some((value, index) => value !== known[index])) refuse(event, "not what was merged and tested");
}

/** What an approval changes: it is the last of its chain, and about the merge that was prepared, if one was. */
export function approvedBy(record: Delegation, data: EventData<"delegation.approved">): Partial<Delegation> {
  const { ref, base, verdict, issued, expires, replaces } = data.predicate;
  const step = { digest: data.digest, ref, base, verdict, issued, expires, ...(replaces ? { replaces } : {}) };
  return {
    approval: data,
    approvals: [...(record.approvals ?? []), step],
    ...(record.preparing ? { prepared: record.preparing } : {}),
    ...(record.asked ? { asked: record.asked } : {}),
  };
}

/** A record without what belongs to a landing under way. */
export function withoutLanding(record: Delegation): Delegation {
  const { preparing: _, prepared: __, asked: ___, ...rest } = record;
  return rest;
}

/** Asked for again, a landing has no outcome yet. */
function withoutRefusal({ notLanded: _, ...record }: Delegation): Delegation {
  return record;
}
