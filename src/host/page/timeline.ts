/** The steps of a delegation, from its brief to its end: which ledger lines are one, and what they are called. Pure. */
import type { Entry } from "../../domain/event.ts";
import type { Step } from "../../domain/page-parts.ts";
import type { TestReport } from "../../domain/test-report.ts";
import { narrate } from "../narrate.ts";
import { line, shown } from "./text.ts";

type Named = Pick<Step, "kind" | "title" | "tone">;

const isGreen = (report: TestReport) =>
  report.checks.every(({ ok }) => ok) &&
  (!report.tested || [report.proposal, report.proven].every((run) => run?.green));

const named = (kind: Step["kind"], title: string, tone: Step["tone"] = "plain"): Named => ({ kind, title, tone });

const verdictTone = { approve: "good", reject: "bad", "reject-hard": "bad" } as const;

/** What a line is in the timeline; undefined for one that is no step of it. */
function nameOf(entry: Entry): Named | undefined {
  switch (entry.type) {
    case "delegation.accepted":
      return named("decision", "Brief accepted");
    case "executor.chosen":
      return named("decision", `Executor chosen: ${entry.data.executor}`);
    case "delegation.started":
      return named("attempt", `Preparing in lane ${entry.data.lane}`);
    case "attempt.started":
      return named("attempt", `Attempt ${entry.data.attempt} begins`);
    case "sandbox.started":
      return named("sandbox", `${entry.data.role} sandbox: ${entry.data.purpose}`);
    case "sandbox.ended":
      return named("sandbox", `Sandbox ended: ${entry.data.end}`, entry.data.end === "exit" ? "plain" : "bad");
    case "attempt.executed":
      return named("attempt", `Executor ended: ${entry.data.end}`, entry.data.end === "exit" ? "plain" : "bad");
    case "proposal.collected":
      return named("attempt", `Proposal of ${entry.data.proposal.changes.length} files`);
    case "tests.reported":
    case "landing.tested": {
      const what = entry.type === "landing.tested" ? "Tests of the merge" : "Tests";
      if (!entry.data.report.tested && entry.data.report.checks.length === 0)
        return named("tests", `${what}: the policy names none`);
      return isGreen(entry.data.report)
        ? named("tests", `${what} green`, "good")
        : named("tests", `${what} red`, "bad");
    }
    case "verdict.received":
    case "landing.verified": {
      const { decision } = entry.data.verdict;
      const whose = "member" in entry.data && entry.data.member ? ` of ${entry.data.member.harness}` : "";
      const what = entry.type === "landing.verified" ? "Verdict on the merge" : `Verdict${whose}`;
      return named("verdict", `${what}: ${decision}`, verdictTone[decision]);
    }
    case "attempt.rejected":
      return named("decision", `Attempt ${entry.data.attempt} rejected by the ${entry.data.by}`, "bad");
    case "attempt.failed":
      return named("attempt", `Attempt ${entry.data.attempt} failed`, "bad");
    case "delegation.held":
      return named("decision", "Held: the gate is closed", "waiting");
    case "delegation.released":
      return named("decision", "Released");
    case "delegation.approved":
      return named("decision", "Approved and signed", "good");
    case "landing.asked":
      return named("landing", "Landing asked for", "waiting");
    case "landing.merged":
      return named("landing", "Merged with a target that moved");
    case "landing.refused":
      return named("landing", "Not landed", "bad");
    case "landing.intended":
      return named("landing", "Landing");
    case "landing.abandoned":
      return named("landing", "Landing given up", "bad");
    case "delegation.landed":
      return named("end", "Landed", "good");
    case "action.intended":
      return named("landing", `Action ${entry.data.action} begins`);
    case "action.ended":
      return named(
        "landing",
        `Action ${entry.data.action}: ${entry.data.outcome}`,
        entry.data.outcome === "done" ? "good" : "bad",
      );
    case "stuck.detected":
      return named("attempt", `Gets nowhere: ${entry.data.detector}`, "bad");
    case "stuck.escalated":
      return named("decision", `Escalated to the ${entry.data.to}`, "waiting");
    case "budget.noted":
      return named("budget", `Told that ${entry.data.share} % of the budget is spent`);
    case "budget.refused":
      return named("budget", "A model request was over the budget", "bad");
    case "delegation.bisected":
      return named("decision", "Bisected", "bad");
    case "delegation.rejected":
      return named("end", entry.data.hard ? "Rejected for good" : "Rejected", "bad");
    case "delegation.stuck":
      return named("end", "Stuck", "bad");
    case "delegation.over-budget":
      return named("end", "Over budget", "bad");
    case "delegation.discarded":
      return named("end", "Discarded", "plain");
    case "delegation.failed":
      return named("end", "Failed: the host's fault", "bad");
    default:
      return undefined;
  }
}

/** The step that a line is; undefined for one that is none. */
export function stepOf(entry: Entry): Step | undefined {
  const name = nameOf(entry);
  if (!name) return undefined;
  const attempt = "attempt" in entry.data ? entry.data.attempt : undefined;
  return {
    seq: entry.seq,
    time: entry.time,
    ...name,
    title: line(name.title),
    detail: shown(narrate(entry), 1000),
    ...(attempt === undefined ? {} : { attempt }),
  };
}

/** The steps with how long it was until the next one. */
export function timed(steps: readonly Step[]): Step[] {
  return steps.map((step, index) => {
    const next = steps[index + 1];
    return next ? { ...step, milliseconds: Math.max(0, Date.parse(next.time) - Date.parse(step.time)) } : step;
  });
}
