/** States of a plan, and the record that a fold over the ledger gives for each. */
import { exitCode } from "./error.ts";
import type { EventData } from "./event.ts";

export const planStates = [
  "running",
  "approved",
  "landed",
  "rejected",
  "stuck",
  "over-budget",
  "failed",
  "discarded",
] as const;
export type PlanState = (typeof planStates)[number];

/** States in which the host has nothing more to do by itself: `approved` waits for the planner. */
export const restingPlanStates: ReadonlySet<PlanState> = new Set(planStates.filter((state) => state !== "running"));

/** The exit code that `plan run --wait` and `show` end with. */
export const planExitCode: Record<PlanState, number> = {
  running: exitCode.done,
  approved: exitCode.done,
  landed: exitCode.done,
  rejected: exitCode.rejected,
  stuck: exitCode.stuck,
  "over-budget": exitCode.overBudget,
  failed: exitCode.failed,
  discarded: exitCode.rejected,
};

/** One plan, as far as the ledger tells. What became of its briefs is in their delegations. */
export interface PlanRecord extends EventData<"plan.accepted"> {
  id: string;
  state: PlanState;
  accepted: string;
  updated: string;
  conflicts: EventData<"plan.conflicted">[];
  /** Briefs that were stuck, and of which the planner harness has had its turn. */
  answered: string[];
  /** The stuck delegations that a mended brief took the place of. */
  replaced: string[];
  approval?: string;
  landed?: EventData<"plan.landed">;
  reason?: string;
}

/** A brief of a plan, as it is shown. */
export interface BriefView {
  id: string;
  title: string;
  after: string[];
  delegation: string;
  /** Of its delegation; `waiting` before it has one. */
  state: string;
  attempts: number;
  reason?: string;
}

/** A plan as the API shows it. */
export interface PlanView {
  id: string;
  state: PlanState;
  reason?: string;
  title: string;
  repository: string;
  base: string;
  ref: string;
  accepted: string;
  updated: string;
  findings: PlanRecord["findings"];
  briefs: BriefView[];
  conflicts: PlanRecord["conflicts"];
  /** The delegation that is stuck, and waits for the planner harness's turn. */
  asks?: { brief: string; delegation: string };
  combined: {
    delegation: string;
    state: string;
    reason?: string;
    culprits?: string[];
    /** The branch that it is being landed on, or waits to be. */
    asked?: string;
    notLanded?: EventData<"landing.refused"> & { ref: string };
  };
  approval?: string;
  landed?: EventData<"plan.landed">;
}
