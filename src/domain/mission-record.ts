/** The record that a fold over the ledger gives for each mission, and how one is shown. */
import type { Delegation } from "./delegation.ts";
import { exitCode } from "./error.ts";
import type { EventData, SandboxEnd } from "./event.ts";
import type { MissionEnd, PlannerPurpose } from "./mission.ts";
import { type PlanState, type PlanView, planExitCode } from "./plan-record.ts";

/** One turn of the planner harness. */
export interface PlannerTurn {
  number: number;
  purpose: PlannerPurpose;
  started: string;
  end?: SandboxEnd;
  message?: string;
  /** Plans that were posted and refused, with why. */
  refused: string[];
  ended: boolean;
  /** Milliseconds of its sandbox; absent while it runs, or where a crash cut it. */
  milliseconds?: number;
  requests: number;
}

/** One mission, as far as the ledger tells. */
export interface MissionRecord extends EventData<"mission.accepted"> {
  id: string;
  accepted: string;
  updated: string;
  turns: PlannerTurn[];
  /** The turn that a sandbox belongs to. */
  sandboxes: Record<string, number>;
  /** What its planner's models cost, and what of it is not settled. */
  spend: Delegation["spend"];
  reservations: Delegation["reservations"];
  report?: EventData<"mission.reported">;
  end?: { state: MissionEnd; message: string };
}

export type MissionState = "planning" | PlanState | MissionEnd;

/** A mission as the API shows it. */
export interface MissionView {
  id: string;
  state: MissionState;
  /** Whether the host has nothing more to do by itself. */
  rests: boolean;
  reason?: string;
  mission: string;
  repository: string;
  base: string;
  ref: string;
  harness: string;
  policy: string;
  accepted: string;
  updated: string;
  turns: PlannerTurn[];
  plan?: PlanView;
  report?: EventData<"mission.reported">;
}

/** The exit code that `run` and `show` end with. */
export function missionExitCode(state: MissionState): number {
  return state === "planning" ? exitCode.done : planExitCode[state];
}

/** What the planner has used of its budget so far. A turn that a crash cut counts to the last line about the mission. */
export function plannerSpend(record: MissionRecord): { wall: number; requests: number } {
  let wall = 0;
  let requests = 0;
  for (const turn of record.turns) {
    wall += turn.milliseconds ?? (turn.ended ? 0 : Date.parse(record.updated) - Date.parse(turn.started));
    requests += turn.requests;
  }
  return { wall, requests };
}
