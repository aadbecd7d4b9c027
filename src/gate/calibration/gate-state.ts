/** Whether the gate is open, and how its verifiers did on canaries: a fold over the ledger and nothing else. Pure. */
import type { CanaryLabel } from "../../domain/canary.ts";
import type { Event } from "../../domain/event.ts";

/** One canary that came to a judgement. */
export interface CanaryRun {
  id: string;
  time: string;
  case: string;
  label: CanaryLabel;
  harness: string;
  image: string;
  policy: string;
  approved: boolean;
  reasons: readonly string[];
}

/** Why the gate is closed. */
export interface Closed {
  since: string;
  by: string;
  reason: string;
  /** The known-bad change that was approved, and what it was. */
  canary?: string;
}

export interface GateState {
  closed?: Closed;
  /** Who opened it last, and why. */
  opened?: { time: string; by: string; reason: string };
  /** Judged canaries, oldest first, by verifier. */
  runs: ReadonlyMap<string, readonly CanaryRun[]>;
  /** Canaries that failed by no fault of their verifier. */
  failed: number;
}

/** More are never looked at: the largest `calibration.window`. */
export const mostRuns = 10_000;

export const openGate: GateState = { runs: new Map(), failed: 0 };

/** What one rate is told of: a verifier's harness, its image and the policy that it judged under. */
export const verifierKey = ({ harness, image, policy }: Pick<CanaryRun, "harness" | "image" | "policy">): string =>
  `${harness} ${image} ${policy}`;

/** An approved bad change is a failed gate. */
export const isFalseApproval = (run: Pick<CanaryRun, "label" | "approved">): boolean =>
  run.label === "bad" && run.approved;

/**
 * The state after an event. The judgement itself closes the gate: a crash between it and the line that says so leaves
 * no moment in which something could be signed.
 */
export function stepGate(state: GateState, event: Event & { time: string }): GateState {
  switch (event.type) {
    case "canary.judged": {
      const { case: name, label, harness, image, policy, approved, reasons } = event.data;
      const id = event.delegation ?? "";
      const run: CanaryRun = { id, time: event.time, case: name, label, harness, image, policy, approved, reasons };
      const key = verifierKey(run);
      const runs = new Map(state.runs).set(key, [...(state.runs.get(key) ?? []), run].slice(-mostRuns));
      if (!isFalseApproval(run) || state.closed) return { ...state, runs };
      const reason = `the verifier ${harness} approved the known-bad change ${name} under policy ${policy}`;
      return { ...state, runs, closed: { since: event.time, by: "calibration", reason, canary: id } };
    }
    case "canary.failed":
      return { ...state, failed: state.failed + 1 };
    case "gate.closed": {
      if (state.closed) return state;
      const { by, reason, canary } = event.data;
      return { ...state, closed: { since: event.time, by, reason, ...(canary ? { canary } : {}) } };
    }
    case "gate.opened": {
      const { closed: _, ...rest } = state;
      return { ...rest, opened: { time: event.time, by: event.data.by, reason: event.data.reason } };
    }
    default:
      return state;
  }
}
