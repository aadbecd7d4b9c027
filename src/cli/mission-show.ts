/** A mission for people. */
import { type MissionView, missionExitCode } from "../domain/mission-record.ts";
import { showDuration } from "../domain/units.ts";
import { call, pathOf } from "./client.ts";
import { type Globals, print, say } from "./context.ts";
import { costOf, describeCost } from "./cost.ts";
import { describePlan } from "./plan-show.ts";
import { stateStyle } from "./state-style.ts";
import type { Line } from "./terminal.ts";

/** Prints a mission; gives the exit code of its state. */
export async function showMission({ state, json }: Globals, id: string): Promise<number> {
  const mission = await call<MissionView>(state, "GET", pathOf(id));
  const cost = await costOf(state, id);
  if (json) print({ ...mission, cost });
  else for (const line of [...describeMission(mission), ...describeCost(cost)]) say(line);
  return missionExitCode(mission.state);
}

/** A mission as lines: its planner's turns, its plan, its report. */
export function describeMission(mission: MissionView): Line[] {
  const { plan, report } = mission;
  return [
    [
      [mission.id, "strong"],
      "  ",
      [mission.state, stateStyle(mission.state)],
      mission.reason ? `: ${mission.reason}` : "",
    ],
    `  mission     ${(mission.mission.split("\n")[0] ?? "").slice(0, 200)}`,
    `  target      ${mission.ref} at ${mission.base}`,
    `  planner     ${mission.harness}, policy ${mission.policy}`,
    ...mission.turns.map(
      (turn) =>
        `  turn ${turn.number}      ${turn.purpose}: ${turn.message ?? "running"}, ${showDuration(turn.milliseconds ?? 0)}, ${turn.requests} requests`,
    ),
    ...(plan ? describePlan(plan) : []),
    ...(report ? ["", `Report of the ${report.by}:`, report.text] : []),
  ];
}
