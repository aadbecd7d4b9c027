/** States of a delegation, and the record that a fold over the ledger gives for each. */
import { exitCode } from "./error.ts";
import type { EventData, Proposal } from "./event.ts";
import type { Role } from "./identity.ts";
import type { StuckDetector } from "./stuck.ts";
import type { TestReport } from "./test-report.ts";
import type { Verdict } from "./verdict.ts";

export const states = [
  "accepted",
  "preparing",
  "executing",
  "collecting",
  "testing",
  "verifying",
  "approved",
  "landed",
  "rejected",
  "rejected-hard",
  "stuck",
  "over-budget",
  "discarded",
  "failed",
] as const;
export type State = (typeof states)[number];

/** States that nothing leads out of. */
export const endStates: ReadonlySet<State> = new Set([
  "landed",
  "rejected",
  "rejected-hard",
  "stuck",
  "over-budget",
  "discarded",
  "failed",
]);
/** States in which the loop has nothing more to do by itself: the ends, and `approved`, which waits for the planner. */
export const restingStates: ReadonlySet<State> = new Set([...endStates, "approved"]);

/** The exit code that `delegate --wait` and `show` end with. */
export const stateExitCode: Record<State, number> = {
  accepted: exitCode.done,
  preparing: exitCode.done,
  executing: exitCode.done,
  collecting: exitCode.done,
  testing: exitCode.done,
  verifying: exitCode.done,
  approved: exitCode.done,
  landed: exitCode.done,
  rejected: exitCode.rejected,
  "rejected-hard": exitCode.rejected,
  stuck: exitCode.stuck,
  "over-budget": exitCode.overBudget,
  discarded: exitCode.rejected,
  failed: exitCode.failed,
};

/** One attempt, as far as the ledger tells. */
export interface Attempt {
  number: number;
  from: string;
  /** The harness that executes it. */
  executor: string;
  /** The first model that the executor asked. */
  model?: string;
  /** Those that it asked after, each once: whoever judges must be kin of none. */
  others?: string[];
  end?: string;
  proposal?: Proposal;
  report?: TestReport;
  reportDigest?: string;
  verdict?: Verdict;
  verdictDigest?: string;
  /** The verdicts of a panel's members so far, in their order. */
  panel?: { harness: string; image: string; verdict: Verdict; digest: string }[];
  rejection?: Omit<EventData<"attempt.rejected">, "attempt" | "tree">;
  failure?: { code: string; message: string };
}

/** One delegation, as far as the ledger tells. */
export interface Delegation extends EventData<"delegation.accepted"> {
  id: string;
  state: State;
  accepted: string;
  updated: string;
  attempts: Attempt[];
  approval?: EventData<"delegation.approved">;
  /** Every approval, oldest first: each later one names the one before it. */
  approvals?: ApprovalStep[];
  /** What was done with it, by the operator's actions; without an outcome it runs. */
  actions?: ActionRun[];
  /** A landing that was asked for and is not over. */
  asked?: EventData<"landing.asked">;
  /** Why the last landing that was asked for came to nothing. */
  notLanded?: EventData<"landing.refused"> & { ref: string };
  /** A merge with a target that moved, being tested and verified. */
  preparing?: PreparedLanding;
  /** The merge that `approval` is about; absent where it is about the attempt's own tree. */
  prepared?: PreparedLanding;
  /** Merges that were tested or verified, and not approved. */
  refusedMerges?: { onto: string; tree: string; reason: string }[];
  /** A landing that was begun and of which nothing more is recorded. */
  intent?: EventData<"landing.intended">;
  landed?: EventData<"delegation.landed">;
  /** Of a plan's combined whole that is red: which briefs make it so. */
  bisected?: EventData<"delegation.bisected">;
  reason?: string;
  denials: number;
  /** The last denied requests that differ, newest last; at most five. */
  denied: { method: string; url: string; code: string; rule: string; count: number }[];
  /** The executor of the running or next attempt: chosen by the host where the brief names several. */
  executor: string;
  /** Why it waits before or after its verifier's turn: the gate is closed. */
  held?: string;
  /** What the host took for stuck. */
  detected?: { attempt: number; detector: StuckDetector; why: string };
  /** Whose word `reason` is, where it is stuck. */
  stuckBy?: "executor" | "host";
  sandboxes: SandboxRecord[];
  /** What its models cost, by role. */
  spend: Partial<Record<Role, RoleSpend>>;
  /** Reservations that are not settled: they count as spent. */
  reservations: Record<string, OpenReservation>;
}

/** A merge of what was approved with a target that moved, as far as the ledger tells. */
export interface PreparedLanding extends EventData<"landing.merged"> {
  report?: TestReport;
  reportDigest?: string;
  /** The verifier's word on the merge; absent where the attempt's own is carried. */
  verdict?: Verdict;
  verdictDigest?: string;
  /** Of a panel: what each of it said of the merge. */
  panel?: EventData<"landing.verified">["panel"];
}

/** One run of an action. */
export interface ActionRun extends EventData<"action.intended"> {
  intended: string;
  outcome?: EventData<"action.ended">["outcome"];
  exit?: number | null;
  message?: string;
}

/** One approval of a delegation's chain. */
export interface ApprovalStep {
  digest: string;
  ref: string;
  base: string;
  verdict: string;
  issued: string;
  expires: string;
  replaces?: string;
}

/** Requests to models that were settled. */
export interface SpendTotals {
  requests: number;
  tokens: number;
  /** Micro-dollars. */
  microusd: number;
  /** Micro-dollars at list price: more than `microusd` where a subscription paid. */
  list: number;
  /** Requests whose worst case was kept, since nobody knows what they used. */
  inexact: number;
}

/** A role's requests, in all and by attempt. */
export interface RoleSpend extends SpendTotals {
  attempts: Record<number, SpendTotals>;
}

export interface OpenReservation {
  sandbox: string;
  role: Role;
  attempt: number;
  tokens: number;
  microusd: number;
  list: number;
}

/** One sandbox of a delegation, as far as the ledger tells. */
export interface SandboxRecord {
  id: string;
  role: Role;
  attempt: number;
  started: string;
  /** Milliseconds; absent while it runs, or where a crash cut it. */
  milliseconds?: number;
  end?: string;
  requests: number;
  denied: number;
}

/** What the executors of a delegation have used of its budget so far. A sandbox that a crash cut counts to the last line about it. */
export function executorSpend(record: Delegation): { wall: number; requests: number } {
  let wall = 0;
  let requests = 0;
  for (const sandbox of record.sandboxes.filter((s) => s.role === "executor")) {
    wall += sandbox.milliseconds ?? Date.parse(record.updated) - Date.parse(sandbox.started);
    requests += sandbox.requests;
  }
  return { wall, requests };
}
