/** The planner's turn about a brief of its plan that is stuck: it reads the dossier, and may answer with a mended brief, once. */
import { join } from "node:path";
import { canonicalJson } from "../domain/canonical.ts";
import { asSallyportError, exitCode } from "../domain/error.ts";
import { postedPlan, postedSummary } from "../domain/mission.ts";
import { plannerSpend } from "../domain/mission-record.ts";
import { cut } from "../gate/printable.ts";
import { pathMatcher } from "../policy/paths.ts";
import { sandboxOwner } from "../sandbox/engine.ts";
import type { VerbAnswer } from "../sandbox/role-run.ts";
import { ensureBaseTree } from "../worktree/base-tree.ts";
import { dossierOf, showDossier } from "./dossier.ts";
import type { MissionTools } from "./mission-tools.ts";
import { runPlanner } from "./planner.ts";
import { mendingPrompt } from "./planner-prompt.ts";

/** Mended briefs that are refused before the turn ends. */
const mostRefusals = 5;

type Tools = Omit<MissionTools, "offer">;

/** What came of the turn so far. */
interface Answering {
  over: boolean;
  why: string;
}

const late: VerbAnswer = { status: 409, body: { code: "already-answered", next: "The first valid answer counts." } };
const malformed: VerbAnswer = {
  status: 422,
  body: { code: "report-malformed", next: 'Send {"text": "..."} with 1 to 20000 characters.' },
};

/** Says that a stuck brief is not mended: its plan goes on to its end. */
export async function giveUp(id: string, brief: string, tools: Tools, why: string): Promise<void> {
  const { plan } = tools.mission(id);
  if (tools.plan(plan).answered.includes(brief) || tools.plan(plan).state !== "running") return;
  await tools.append({ type: "plan.unmended", delegation: plan, data: { brief, why: cut(why, 4000) } });
}

/** Asks the planner harness about one stuck brief. Whatever comes of it, the plan does not wait for longer. */
export async function mend(
  id: string,
  plan: string,
  asks: { brief: string; delegation: string },
  tools: Tools,
  signal: AbortSignal,
): Promise<void> {
  const record = tools.mission(id);
  const { brief } = asks;
  const stuck = tools.find(asks.delegation);
  const dossier = stuck && dossierOf(stuck);
  if (!dossier) return giveUp(id, brief, tools, "there is no dossier");
  if (plannerSpend(record).wall >= record.policy.budget.wall)
    return giveUp(id, brief, tools, "the planner's wall time is used up");
  const turn = record.turns.length + 1;
  const text = await tools.secrets.mask(showDossier(dossier));
  const written = tools.plan(plan).plan.briefs.find((one) => one.id === brief) ?? {};
  const worktree = await baseOf(id, tools);
  await tools.append({ type: "planner.started", delegation: id, data: { turn, purpose: "mend" } });
  const answering: Answering = { over: false, why: "the planner gave no answer" };
  // Two briefs at once are judged one after the other: the first valid one counts.
  let judging: Promise<unknown> = Promise.resolve();
  const take = takeBrief(id, brief, turn, answering, tools);
  const { end, over } = await runPlanner({
    record,
    turn,
    purpose: "mend",
    harness: await tools.loadHarness(record.harness),
    prompt: mendingPrompt(brief, written, text),
    files: { "mission.json": { mission: record.mission, turn, purpose: "mend", brief }, "dossier.json": dossier },
    worktree,
    directory: join(tools.directories.lanes, `${id}-${turn}`),
    verbs: {
      plan: (body, done) => {
        const answer = judging.then(() => take(body, done));
        judging = answer.catch(() => {});
        return answer;
      },
      stuck: async (body, done) => {
        const said = postedSummary.safeParse(body);
        if (!said.success) return malformed;
        if (answering.over) return late;
        answering.over = true;
        answering.why = cut(`the planner says: ${said.data.text}`, 4000);
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
  if (over !== undefined && !answering.over) answering.why = cut(`the planner's ${over}`, 4000);
  const mended = tools.plan(plan).answered.includes(brief);
  const message = mended ? `${brief} is mended (${end})` : `${brief} is not mended (${end}): ${answering.why}`;
  await tools.append({ type: "planner.ended", delegation: id, data: { turn, end, message: cut(message, 4000) } });
  if (!mended) await giveUp(id, brief, tools, answering.why);
}

/** The verb that takes a mended brief: refused with what is wrong, so that it can be mended again, a few times. */
function takeBrief(id: string, brief: string, turn: number, answering: Answering, tools: Tools) {
  let refusals = 0;
  return async (body: unknown, done: () => void): Promise<VerbAnswer> => {
    if (answering.over) return late;
    const posted = postedPlan.safeParse(body);
    const [said, files] = posted.success ? [posted.data.plan, posted.data.checkFiles] : [body, undefined];
    try {
      const { warnings } = await tools.acceptMended(tools.mission(id), brief, said, files);
      answering.over = true;
      done();
      return { status: 200, body: { ok: true, warnings } };
    } catch (thrown) {
      const error = asSallyportError(thrown);
      if (error.exitCode !== exitCode.usage && error.exitCode !== exitCode.refused) throw thrown;
      refusals += 1;
      const message = cut(`${error.message} ${error.next}`, 8000);
      await tools.append({ type: "planner.refused", delegation: id, data: { turn, code: error.code, message } });
      answering.why = cut(`the last brief that the planner posted was refused: ${message}`, 4000);
      if (refusals >= mostRefusals) {
        answering.over = true;
        done();
      }
      return { status: 422, body: { code: error.code, problem: error.message, next: error.next } };
    }
  };
}

/** The base tree, as the planner may see it. */
async function baseOf(id: string, tools: Tools): Promise<string> {
  const { repository, base: commit, policy } = tools.mission(id);
  const { visible } = policy.filesystem;
  const base = await ensureBaseTree({
    quarantine: await tools.openQuarantine(await tools.openRepository(repository)),
    directory: tools.directories.trees,
    commit,
    visible: pathMatcher(visible),
    visibleKey: canonicalJson(visible),
    owner: sandboxOwner,
  });
  return base.files;
}
