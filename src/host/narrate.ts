/** A ledger entry as a line for people. Pure; says nothing that the entry does not. */
import { candidatesOf } from "../domain/brief.ts";
import type { Entry, EventData } from "../domain/event.ts";
import type { TestReport } from "../domain/test-report.ts";
import { showDuration, showMoney, showSize } from "../domain/units.ts";
import type { Verdict } from "../domain/verdict.ts";
import { judgesOf } from "../gate/panel.ts";

const short = (id: string) => id.slice(0, 12);

function counts(report: TestReport): string {
  const checks =
    report.checks.length > 0 ? `, checks ${report.checks.filter((c) => c.ok).length}/${report.checks.length}` : "";
  if (!report.tested) return `no tests in the policy${checks}`;
  const green = [report.proposal, report.proven].every((run) => run?.green);
  const gone = report.disappeared.length + report.newlySkipped.length;
  const flaky = report.flaky ? `, flaky ${report.flaky.length}` : "";
  const back = report.putBack ? `, put back ${report.putBack.length}` : "";
  const covered = report.coverage ? `, ${report.coverage.covered} of ${report.coverage.lines} added lines run` : "";
  const notes = (report.notes ?? []).map((note) => `\n      note: ${note}`).join("");
  return `${green ? "green" : "RED"}: fail-to-pass ${report.failToPass.length}, pass-to-pass ${report.passToPass.length}, broken ${report.broken.length}${gone ? `, disappeared or skipped ${gone}` : ""}${flaky}${back}${covered}${checks}${notes}`;
}

function verdictText({ decision, criteria, refutations }: Verdict): string {
  return `${decision}: ${criteria.map((c) => `${c.id} ${c.status}`).join(", ")}; ${refutations.length} refutations tried, ${refutations.filter((r) => r.found).length} found something`;
}

function findings(
  items: readonly { reason: string; message: string; path?: string | undefined; line?: number | undefined }[],
): string {
  return items
    .slice(0, 6)
    .map(
      (f) =>
        `\n      ${f.reason}: ${f.path ? `${f.path}${f.line ? `:${f.line}` : ""}: ` : ""}${f.message.split("\n")[0]}`,
    )
    .join("");
}

function processesText({ sandbox, whole, total, names, gap }: EventData<"sandbox.processes">): string {
  const most = names.slice(0, 5).map(({ name, count }) => (count > 1 ? `${name} ×${count}` : name));
  const more = names.length > most.length ? ", …" : "";
  const what = most.length > 0 ? `: ${most.join(", ")}${more}` : "";
  return `${total} processes ran in ${sandbox}, by the kernel's accounting${whole ? "" : ` (NOT WHOLE: ${gap ?? "unknown"})`}${what}`;
}

/** What happened, in one line (rejections list their findings below). */
export function narrate(entry: Entry): string {
  switch (entry.type) {
    case "delegation.accepted":
      return `accepted "${entry.data.brief.title}" for ${entry.data.ref} at ${short(entry.data.base)}; policy ${entry.data.policy.name}, executor ${candidatesOf(entry.data.brief).join(" or ")}, verifier ${judgesOf(
        entry.data,
      )
        .map((one) => one.harness)
        .join(", ")}`;
    case "delegation.started":
      return `preparing the base tree in lane ${entry.data.lane}`;
    case "executor.chosen":
      return `attempt ${entry.data.attempt} goes to ${entry.data.executor}: ${entry.data.reasons[0] ?? ""}`;
    case "attempt.started":
      return `attempt ${entry.data.attempt} begins`;
    case "sandbox.started":
      return `${entry.data.role} sandbox ${entry.data.sandbox} (${entry.data.purpose}): network ${String(entry.data.controls.network)}, ${String(entry.data.controls.user)}, seccomp on, capabilities ${String(entry.data.controls.capabilities)}`;
    case "sandbox.ended":
      return `sandbox ${entry.data.sandbox} ended: ${entry.data.end}${entry.data.exit === null ? "" : ` ${entry.data.exit}`} after ${showDuration(entry.data.milliseconds)}, printed ${showSize(entry.data.output.bytes)}`;
    case "sandbox.claimed":
      return `the harness says that it ran ${entry.data.total} commands${entry.data.cut ? ", as far as its output was kept" : ""}: ${entry.data.commands
        .slice(0, 3)
        .map(({ command }) => command.split("\n")[0]?.slice(0, 100))
        .join("; ")}`;
    case "sandbox.processes":
      return processesText(entry.data);
    case "sandbox.wrote":
      return `the layer holds ${entry.data.files} files, ${showSize(entry.data.bytes)}`;
    case "request":
      return `${entry.data.decision === "allow" ? "allowed" : "DENIED"} ${entry.data.method} ${entry.data.url} (${entry.data.code}; rule ${entry.data.rule})`;
    case "verb":
      return `the sandbox said ${entry.data.verb}${entry.data.text ? `: ${entry.data.text.split("\n")[0]}` : ""} → ${entry.data.status}`;
    case "attempt.executed":
      return `attempt ${entry.data.attempt}: the executor ended (${entry.data.end}); collecting its layer`;
    case "proposal.collected": {
      const { changes, tree, patchBytes } = entry.data.proposal;
      return `proposal ${short(tree)}: ${changes
        .map((c) => `${c.kind} ${c.path}`)
        .slice(0, 5)
        .join(", ")}${changes.length > 5 ? ", …" : ""} (${showSize(patchBytes)} patch)`;
    }
    case "tests.reported":
      return `tests ${counts(entry.data.report)}`;
    case "verdict.received":
      return `verdict ${verdictText(entry.data.verdict)}`;
    case "attempt.rejected":
      return `attempt ${entry.data.attempt} REJECTED by the ${entry.data.by}${findings(entry.data.findings)}`;
    case "attempt.failed":
      return `attempt ${entry.data.attempt} failed, by no fault of the executor: ${entry.data.message}`;
    case "delegation.approved":
      return `APPROVED and signed for ${entry.data.predicate.ref}: approval ${short(entry.data.digest)}${entry.data.predicate.replaces ? ` in place of ${short(entry.data.predicate.replaces)}` : ""}, until ${entry.data.predicate.expires}`;
    case "landing.asked": {
      const { ref, after } = entry.data;
      return `asked to land on ${ref}${after.length > 0 ? `; waits for ${after.join(", ")}` : ""}`;
    }
    case "landing.merged": {
      const { ref, onto, tree, overlap, verify } = entry.data;
      const paths = overlap.length > 0 ? ` (changed on both sides: ${overlap.slice(0, 5).join(", ")})` : "";
      return `merged for ${ref} with ${short(onto)} to the tree ${short(tree)}; ${verify ? `the verifier is asked anew${paths}` : "none of its paths changed there"}`;
    }
    case "landing.tested":
      return `the merge's tests ${counts(entry.data.report)}`;
    case "landing.verified":
      return `the merge's verdict ${verdictText(entry.data.verdict)}`;
    case "landing.refused":
      return `NOT LANDED (${entry.data.code}): ${entry.data.message.split("\n")[0]}`;
    case "landing.intended":
      return `landing ${short(entry.data.commit)} on ${entry.data.ref}`;
    case "landing.abandoned":
      return `landing given up: ${entry.data.reason}`;
    case "delegation.landed":
      return `LANDED ${short(entry.data.commit)} on ${entry.data.ref}`;
    case "action.intended":
      return `action ${entry.data.action} begins${entry.data.again ? " AGAIN, on somebody's word" : ""}, under approval ${short(entry.data.approval)}`;
    case "action.ended":
      return `action ${entry.data.action} ${entry.data.outcome === "done" ? "done" : entry.data.outcome.toUpperCase()}: ${entry.data.message.split("\n")[0]}`;
    case "mission.accepted":
      return `accepted the mission "${(entry.data.mission.split("\n")[0] ?? "").slice(0, 200)}" for ${entry.data.ref} at ${short(entry.data.base)}; planner ${entry.data.harness}, policy ${entry.data.policy.name}`;
    case "planner.started":
      return `planner turn ${entry.data.turn} begins: ${entry.data.purpose}`;
    case "planner.refused":
      return `the planner's plan is REFUSED (${entry.data.code}): ${entry.data.message.split("\n")[0]}`;
    case "planner.ended":
      return `planner turn ${entry.data.turn} ended: ${entry.data.message}`;
    case "mission.reported":
      return `report of the ${entry.data.by}:\n${entry.data.text}`;
    case "mission.ended":
      return `MISSION ${entry.data.state.toUpperCase()}: ${entry.data.message}`;
    case "delegation.bisected":
      return `bisected in ${entry.data.runs} runs: ${entry.data.message.split("\n")[0]}`;
    case "plan.accepted": {
      const { plan, ref, base, findings: found } = entry.data;
      return `accepted the plan "${plan.title}" for ${ref} at ${short(base)}: ${plan.briefs.map((b) => (b.after.length > 0 ? `${b.id} after ${b.after.join("+")}` : b.id)).join(", ")}${found.length > 0 ? `; ${found.length} warnings` : ""}`;
    }
    case "plan.conflicted":
      return `CONFLICT: what ${entry.data.between.join(" and ")} made does not merge${entry.data.brief ? ` for ${entry.data.brief}` : ""}: ${entry.data.paths.slice(0, 5).join(", ")}`;
    case "plan.mended":
      return `${entry.data.brief} is mended by the planner: delegation ${entry.data.delegation}`;
    case "plan.unmended":
      return `${entry.data.brief} stays stuck: ${entry.data.why}`;
    case "plan.approved":
      return `PLAN APPROVED: approval ${short(entry.data.approval)} for the combined whole`;
    case "plan.landed":
      return `PLAN LANDED ${short(entry.data.commit)} on ${entry.data.ref}`;
    case "plan.ended":
      return `PLAN ${entry.data.state.toUpperCase()}: ${entry.data.message}`;
    case "plan.discarded":
      return `plan discarded by ${entry.data.by}`;
    case "delegation.held":
      return `HELD: ${entry.data.reason}`;
    case "delegation.released":
      return "goes on: the gate is open again";
    case "canary.started":
      return `canary ${entry.data.case} (${entry.data.label}) goes to ${entry.data.harness} under policy ${entry.data.policy}`;
    case "canary.judged": {
      const { case: name, label, approved, reasons } = entry.data;
      const right = approved === (label === "good");
      return `canary ${name} (${label}) is ${approved ? "approved" : `rejected (${reasons.join(", ")})`}: ${right ? "right" : "WRONG"}`;
    }
    case "canary.failed":
      return `canary ${entry.data.case} failed, by no fault of the verifier: ${entry.data.message}`;
    case "gate.closed":
      return `GATE CLOSED by ${entry.data.by}: ${entry.data.reason}`;
    case "gate.opened":
      return `gate opened by ${entry.data.by}: ${entry.data.reason}`;
    case "delegation.rejected":
      return `REJECTED${entry.data.hard ? " for good" : ""}: ${entry.data.message}`;
    case "stuck.detected":
      return `attempt ${entry.data.attempt} gets nowhere (${entry.data.detector}): ${entry.data.why}`;
    case "delegation.stuck":
      return `STUCK${entry.data.by === "executor" ? ", as the executor says" : ""}: ${entry.data.reason}`;
    case "stuck.escalated":
      return `escalated to the ${entry.data.to}: a dossier of ${showSize(entry.data.bytes)}`;
    case "delegation.over-budget":
      return `OVER BUDGET: ${entry.data.what}`;
    case "delegation.discarded":
      return `discarded by ${entry.data.by}`;
    case "delegation.failed":
      return `FAILED: ${entry.data.message}`;
    case "budget.reserved":
      return `reserved ${entry.data.tokens} tokens and ${showMoney(entry.data.microusd)} for ${entry.data.model} on ${entry.data.route}`;
    case "budget.settled":
      return `${entry.data.model} ${entry.data.exact ? "used" : "may have used (the reservation is kept)"} ${entry.data.tokens} tokens, ${showMoney(entry.data.microusd)}${entry.data.why ? `: ${entry.data.why}` : ""}`;
    case "budget.noted":
      return `the harness was told that ${entry.data.share} % of its budget is spent`;
    case "budget.refused":
      return `REFUSED ${entry.data.model} on ${entry.data.route} (${entry.data.code}): ${entry.data.what}`;
    case "delegation.refused":
      return `refused: ${entry.data.message}`;
    case "host.started":
      return `host ${entry.data.version} started (pid ${entry.data.pid}, key ${short(entry.data.keyid)})`;
    case "host.stopped":
      return `host stopped: ${entry.data.reason}`;
    case "host.cleared":
      return `cleared away ${entry.data.trees} base trees, ${entry.data.proposals.length} proposals, ${entry.data.images.length} images`;
    case "recovered":
      return `recovered: ${entry.data.what}`;
    case "anchor.failed":
      return `ANCHOR FAILS: ${entry.data.anchor}: ${entry.data.message.split("\n")[0]}`;
    case "anchor.resumed":
      return `anchor ${entry.data.anchor} works again`;
    case "segment.closed":
      return `segment ${entry.data.segment} closed and signed (key ${short(entry.data.keyid)})`;
  }
}
