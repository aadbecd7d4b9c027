/** A plan for people. */
import { type PlanView, planExitCode } from "../domain/plan-record.ts";
import { call, pathOf } from "./client.ts";
import { type Globals, print, say } from "./context.ts";
import { costOf, describeCost } from "./cost.ts";
import { stateStyle } from "./state-style.ts";
import { type Cell, fitTable } from "./table.ts";
import type { Line } from "./terminal.ts";

/** Prints a plan; gives the exit code of its state. */
export async function showPlan({ state, json }: Globals, id: string): Promise<number> {
  const plan = await call<PlanView>(state, "GET", pathOf(id));
  const cost = await costOf(state, id);
  if (json) print({ ...plan, cost });
  else for (const line of [...describePlan(plan), ...describeCost(cost)]) say(line);
  return planExitCode[plan.state];
}

/** A plan as lines. */
export function describePlan(plan: PlanView): Line[] {
  const rows = plan.briefs.map((brief): Cell[] => [
    brief.id,
    brief.delegation,
    [brief.state, stateStyle(brief.state)],
    brief.after.join("+") || "-",
    `${brief.title}${brief.reason ? `: ${brief.reason.split("\n")[0]}` : ""}`,
  ]);
  const { combined } = plan;
  const whole: Cell[] = [
    "whole",
    combined.delegation,
    [combined.state, stateStyle(combined.state)],
    "-",
    combined.reason?.split("\n")[0] ?? "",
  ];
  const columns = [
    { title: "BRIEF" },
    { title: "DELEGATION" },
    { title: "STATE" },
    { title: "AFTER", gives: 2 },
    { title: "TITLE", gives: 3, least: 12 },
  ];
  return [
    [[plan.id, "strong"], "  ", [plan.state, stateStyle(plan.state)], `${plan.reason ? `: ${plan.reason}` : ""}`],
    `  title       ${plan.title}`,
    `  repository  ${plan.repository}`,
    `  base        ${plan.base}`,
    `  target      ${plan.ref}`,
    ...plan.findings.map((finding) => `  warning     ${finding.message}`),
    ...(plan.approval ? [`  approval    ${plan.approval}`] : []),
    ...(plan.landed ? [`  landed      ${plan.landed.commit} on ${plan.landed.ref}`] : []),
    ...fitTable(columns, [...rows, whole], "  "),
  ];
}
