/** A mission's turns: planning until a plan is accepted, and after the plan has run, its report. */
import { join } from "node:path";
import { canonicalJson } from "../domain/canonical.ts";
import { asSallyportError, exitCode } from "../domain/error.ts";
import type { SandboxEnd } from "../domain/event.ts";
import { type PlannerPurpose, postedPlan, postedSummary } from "../domain/mission.ts";
import { type MissionRecord, plannerSpend } from "../domain/mission-record.ts";
import type { PlanView } from "../domain/plan-record.ts";
import { cut } from "../gate/printable.ts";
import { pathMatcher } from "../policy/paths.ts";
import { sandboxOwner } from "../sandbox/engine.ts";
import type { VerbAnswer } from "../sandbox/role-run.ts";
import { ensureBaseTree } from "../worktree/base-tree.ts";
import { LedgerGone } from "./loop.ts";
import { giveUp, mend } from "./mission-mend.ts";
import type { MissionTools } from "./mission-tools.ts";

import { runPlanner } from "./planner.ts";
import { type BriefCost, hostReport, outcomeOf, planningPrompt, reportingPrompt } from "./planner-prompt.ts";
import type { StopReason } from "./tools.ts";

/** Plans that are refused in one turn before it ends: a planner that cannot mend its plan would only go on costing. */
const mostRefusals = 10;

/** Ends of a sandbox that are the host's doing. */
const ownFaults: ReadonlySet<SandboxEnd> = new Set<SandboxEnd>(["gateway-lost", "failed", "stopped"]);

/** Takes the turns that are due: to a plan or an end, or to the report. Aborting `signal` with a StopReason ends it. */
export async function runMission(id: string, tools: MissionTools, signal: AbortSignal): Promise<void> {
  try {
    const plan = tools.planOf(id);
    if (plan?.asks) await mend(id, plan.id, plan.asks, tools, signal);
    else if (plan) await report(id, plan, tools, signal);
    else await planning(id, tools, signal);
  } catch (thrown) {
    if (thrown instanceof LedgerGone) return;
    await cutTurn(id, tools, signal.aborted ? "ended by the host" : asSallyportError(thrown).message);
    // The next start goes on with the next turn.
    if (signal.aborted && (signal.reason as StopReason) === "shutdown") return;
    const { end, report: given } = tools.mission(id);
    if (end || given) return;
    // A plan must not wait for ever for a turn that cannot be had.
    const asks = tools.planOf(id)?.asks;
    if (asks && !signal.aborted) {
      await giveUp(id, asks.brief, tools, "the planner's turn failed");
      return;
    }
    if (tools.planOf(id)) {
      await reportOfHost(id, tools);
      return;
    }
    const state = signal.aborted ? ("discarded" as const) : ("failed" as const);
    const message = signal.aborted ? "stopped" : cut(asSallyportError(thrown).message, 4000);
    await tools.append({ type: "mission.ended", delegation: id, data: { state, message } });
  }
}

/** Ends the turn that a fault or a crash of the host cut; what it spent stands. */
export async function cutTurn(id: string, tools: Pick<MissionTools, "mission" | "append">, why: string): Promise<void> {
  const turn = tools.mission(id).turns.at(-1);
  if (!turn || turn.ended) return;
  await tools.append({
    type: "planner.ended",
    delegation: id,
    data: { turn: turn.number, message: cut(why, 4000) },
  });
}

async function planning(id: string, tools: MissionTools, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const record = tools.mission(id);
    const { budget } = record.policy;
    const last = record.turns.at(-1);
    if (plannerSpend(record).wall >= budget.wall) {
      await tools.append({
        type: "mission.ended",
        delegation: id,
        data: { state: "over-budget", message: "wall time of the planner" },
      });
      return;
    }
    if (record.turns.length >= budget.attempts) {
      const problem = record.turns.flatMap((turn) => turn.refused).at(-1);
      const message = `no valid plan in ${record.turns.length} turns${problem ? `; the last one was refused: ${problem}` : ""}. Say more in the mission, or write the plan yourself: \`sallyport plan run PLAN\``;
      // A planner that never had its turn is no planner that is stuck.
      const state = record.turns.some((turn) => turn.end && !ownFaults.has(turn.end)) ? "stuck" : "failed";
      await tools.append({ type: "mission.ended", delegation: id, data: { state, message: cut(message, 8000) } });
      return;
    }
    const { stuck, over } = await planningTurn(record, last?.refused ?? [], tools, signal);
    if (tools.planOf(id)) return;
    if (over !== undefined) {
      const message = cut(`the planner's ${over}`, 8000);
      await tools.append({ type: "mission.ended", delegation: id, data: { state: "over-budget", message } });
      return;
    }
    if (stuck !== undefined) {
      const message = cut(`the planner says: ${stuck}`, 8000);
      await tools.append({ type: "mission.ended", delegation: id, data: { state: "stuck", message } });
      return;
    }
  }
}

/** One turn; what the planner said where it is stuck, and which budget it was over. */
async function planningTurn(
  record: MissionRecord,
  refused: readonly string[],
  tools: MissionTools,
  signal: AbortSignal,
): Promise<{ stuck: string | undefined; over: string | undefined }> {
  const { id } = record;
  const turn = record.turns.length + 1;
  const offer = await tools.offer(record);
  const quarantine = await tools.openQuarantine(await tools.openRepository(record.repository));
  const { visible } = record.policy.filesystem;
  const base = await ensureBaseTree({
    quarantine,
    directory: tools.directories.trees,
    commit: record.base,
    visible: pathMatcher(visible),
    visibleKey: canonicalJson(visible),
    owner: sandboxOwner,
  });
  await tools.append({ type: "planner.started", delegation: id, data: { turn, purpose: "plan" } });
  let stuck: string | undefined;
  let refusals = 0;
  // Two plans at once are judged one after the other: the first valid one counts.
  let judging: Promise<unknown> = Promise.resolve();
  const over = (): VerbAnswer | undefined => {
    if (tools.planOf(id) || stuck !== undefined)
      return { status: 409, body: { code: "already-answered", next: "The first valid plan counts." } };
    if (refusals >= mostRefusals)
      return { status: 409, body: { code: "refused-too-often", next: "This turn is over." } };
    return undefined;
  };
  const { end, over: overBudget } = await runPlanner({
    record,
    turn,
    purpose: "plan",
    harness: await tools.loadHarness(record.harness),
    prompt: planningPrompt(record, offer, turn, refused),
    files: { "mission.json": { mission: record.mission, turn, purpose: "plan" satisfies PlannerPurpose } },
    worktree: base.files,
    directory: join(tools.directories.lanes, `${id}-${turn}`),
    verbs: {
      plan: (body, done) => {
        const answer = judging.then(async (): Promise<VerbAnswer> => {
          const early = over();
          if (early) return early;
          const posted = postedPlan.safeParse(body);
          try {
            const { warnings } = await tools.acceptPlan(
              record,
              posted.success ? posted.data.plan : body,
              posted.success ? posted.data.checkFiles : undefined,
            );
            done();
            return { status: 200, body: { ok: true, plan: record.plan, warnings } };
          } catch (thrown) {
            const error = asSallyportError(thrown);
            if (error.exitCode !== exitCode.usage && error.exitCode !== exitCode.refused) throw thrown;
            refusals += 1;
            const message = cut(`${error.message} ${error.next}`, 8000);
            await tools.append({ type: "planner.refused", delegation: id, data: { turn, code: error.code, message } });
            if (refusals >= mostRefusals) done();
            return { status: 422, body: { code: error.code, problem: error.message, next: error.next } };
          }
        });
        judging = answer.catch(() => {});
        return answer;
      },
      stuck: async (body, done) => {
        const said = postedSummary.safeParse(body);
        if (!said.success) return malformed;
        const early = over();
        if (early) return early;
        stuck = cut(said.data.text, 4000);
        done();
        return { status: 200, body: { ok: true } };
      },
      note: async (body) => (postedSummary.safeParse(body).success ? { status: 200, body: { ok: true } } : malformed),
    },
    runRole: tools.runRole,
    signal,
  });
  signal.throwIfAborted();
  await judging;
  const came = tools.planOf(id) ? "a plan" : stuck !== undefined ? "stuck" : `no plan, ${refusals} refused`;
  await tools.append({ type: "planner.ended", delegation: id, data: { turn, end, message: `${came} (${end})` } });
  return { stuck, over: overBudget };
}

const malformed: VerbAnswer = {
  status: 422,
  body: { code: "report-malformed", next: 'Send {"text": "..."} with 1 to 20000 characters.' },
};

/** Asks the planner for its report, once; where none comes, the host's own is given. */
async function report(id: string, plan: PlanView, tools: MissionTools, signal: AbortSignal): Promise<void> {
  const record = tools.mission(id);
  const tried = record.turns.some((turn) => turn.purpose === "report");
  if (tried || plannerSpend(record).wall >= record.policy.budget.wall) return reportOfHost(id, tools);
  const turn = record.turns.length + 1;
  const outcome = outcomeOf(plan, costsOf(plan, tools));
  await tools.append({ type: "planner.started", delegation: id, data: { turn, purpose: "report" } });
  let text: string | undefined;
  const { end } = await runPlanner({
    record,
    turn,
    purpose: "report",
    harness: await tools.loadHarness(record.harness),
    prompt: reportingPrompt(outcome),
    files: {
      "mission.json": { mission: record.mission, turn, purpose: "report" satisfies PlannerPurpose },
      "outcome.json": outcome,
    },
    directory: join(tools.directories.lanes, `${id}-${turn}`),
    verbs: {
      summary: async (body, done) => {
        if (text !== undefined)
          return { status: 409, body: { code: "already-answered", next: "The first report counts." } };
        const said = postedSummary.safeParse(body);
        if (!said.success) return malformed;
        text = said.data.text;
        done();
        return { status: 200, body: { ok: true } };
      },
    },
    runRole: tools.runRole,
    signal,
  });
  signal.throwIfAborted();
  const came = text === undefined ? "no report" : "a report";
  await tools.append({ type: "planner.ended", delegation: id, data: { turn, end, message: `${came} (${end})` } });
  if (text === undefined) return reportOfHost(id, tools);
  await tools.append({ type: "mission.reported", delegation: id, data: { by: "planner", text } });
}

async function reportOfHost(id: string, tools: MissionTools): Promise<void> {
  const plan = tools.planOf(id);
  if (!plan) return;
  const text = hostReport(plan, costsOf(plan, tools));
  await tools.append({ type: "mission.reported", delegation: id, data: { by: "host", text } });
}

/** What each brief and the whole cost, and what the verifiers answered. An executor's own words are in none of it. */
function costsOf(plan: PlanView, tools: MissionTools): BriefCost[] {
  const all = [
    ...plan.briefs.map(({ id, delegation }) => ({ id, delegation })),
    { id: "whole", delegation: plan.combined.delegation },
  ];
  return all.flatMap(({ id, delegation }): BriefCost[] => {
    const record = tools.find(delegation);
    if (!record) return [];
    const milliseconds: Record<string, number> = {};
    for (const sandbox of record.sandboxes)
      milliseconds[sandbox.role] = (milliseconds[sandbox.role] ?? 0) + (sandbox.milliseconds ?? 0);
    const last = record.attempts.at(-1);
    return [
      {
        id,
        milliseconds,
        requests: record.sandboxes.reduce((sum, sandbox) => sum + sandbox.requests, 0),
        denied: record.denials,
        verdict: (last?.verdict?.criteria ?? []).map((c) => ({ id: c.id, status: c.status, why: cut(c.why, 500) })),
        findings: (last?.rejection?.findings ?? []).slice(0, 10).map((f) => `${f.reason}: ${cut(f.message, 500)}`),
      },
    ];
  });
}
