/** `sallyport run "MISSION"`: a planner harness plans, executors work, verifiers judge, and one report comes back. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { type MissionView, missionExitCode } from "../domain/mission-record.ts";
import type { PlanView } from "../domain/plan-record.ts";
import { call, pathOf } from "./client.ts";
import { action, command, done, type Globals, print, say, sayNext } from "./context.ts";
import { costOf, describeCost } from "./cost.ts";
import { describeMission } from "./mission-show.ts";
import { nameIn } from "./plan.ts";
import { watch } from "./watch.ts";

interface Options {
  repo?: string;
  base?: string;
  onto?: string;
  planner?: string;
  policy?: string;
  land?: boolean;
  wait: boolean;
}

/** Shows a mission as it goes on, until it rests. */
async function watchMission(shared: Globals, id: string): Promise<MissionView> {
  let plan: PlanView | undefined;
  return watch<MissionView>(shared, {
    id,
    rests: ({ rests }) => rests,
    nameOf: (about) => (about === id || !plan ? "run" : nameIn(plan, about)),
    async meet({ type, delegation }) {
      if (type === "plan.accepted" && delegation) plan = await call<PlanView>(shared.state, "GET", pathOf(delegation));
      if (type === "plan.mended" && plan) plan = await call<PlanView>(shared.state, "GET", pathOf(plan.id));
    },
  });
}

async function run(shared: Globals, mission: string, options: Options): Promise<number> {
  const { state, json } = shared;
  const { id } = await call<{ id: string }>(state, "POST", "/v1/missions", {
    repository: resolve(options.repo ?? "."),
    ...(options.base ? { base: options.base } : {}),
    ...(options.onto ? { onto: options.onto } : {}),
    ...(options.planner ? { harness: options.planner } : {}),
    ...(options.policy ? { policy: options.policy } : {}),
    mission,
  });
  if (!options.wait) {
    if (json) print({ id });
    else {
      say(id);
      sayNext(`sallyport log ${id} -f, then sallyport show ${id}`);
    }
    return done;
  }
  let view = await watchMission(shared, id);
  let landed: unknown;
  if (options.land && view.state === "approved") {
    landed = await call(state, "POST", `${pathOf(id)}/land`, {});
    view = await call<MissionView>(state, "GET", pathOf(id));
  }
  const cost = await costOf(state, id);
  if (json) print({ ...view, cost, ...(landed ? { landed } : {}) });
  else {
    for (const line of [...describeMission(view), ...describeCost(cost)]) say(line);
    const next = view.state === "approved" ? `sallyport diff ${id}, then sallyport land ${id}` : `sallyport show ${id}`;
    sayNext(next);
  }
  return missionExitCode(view.state);
}

export function runCommand(): Command {
  return command("run", "Give a mission to a planner harness: plan, executors, verdicts, one report.", [
    'sallyport run "Round half to even everywhere" --repo /srv/git/money.git',
    'sallyport run "Round half to even" --planner pi --onto sallyport/round --land',
  ])
    .argument("<mission>", "what is to be done, in your words")
    .option("--planner <harness>", "the harness that plans (default: the first that the operator names)")
    .option("--policy <name>", "the planner's own policy (default: planner)")
    .option("--repo <dir>", "the host repository (default: this folder)")
    .option("--base <ref>", "what to start from (default: HEAD)")
    .option("--onto <branch>", "the branch it is meant to land on (default: the branch that --base names)")
    .option("--land", "land the whole as soon as it is approved")
    .option("--no-wait", "print the mission's id and return")
    .action(action(run));
}
