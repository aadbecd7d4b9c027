/** Error rates of the verifiers, told from the canaries that they judged. Pure. */
import { lowerBound, upperBound } from "./clopper-pearson.ts";
import type { CanaryRun, GateState } from "./gate-state.ts";

/** A rate with its exact one-sided 95 % bounds (Clopper–Pearson), each from 0 to 1. */
export interface ErrorRate {
  count: number;
  of: number;
  /** Undefined where nothing was tried. */
  rate: number | undefined;
  /** The rate is above this, in 95 of 100 such series. */
  low: number;
  /** The rate is below this, in 95 of 100 such series. */
  high: number;
}

/** How one verifier did over its last canaries. */
export interface VerifierRates {
  harness: string;
  image: string;
  policy: string;
  /** Canaries that were looked at: the last `window`, at most. */
  canaries: number;
  since: string;
  until: string;
  /** Bad changes that were approved. */
  falseApproval: ErrorRate;
  /** Good changes that were rejected. */
  falseRejection: ErrorRate;
  /** What it was wrong about, by case. */
  wrong: Record<string, number>;
}

export function errorRate(count: number, of: number): ErrorRate {
  return {
    count,
    of,
    rate: of === 0 ? undefined : count / of,
    low: lowerBound(count, of),
    high: upperBound(count, of),
  };
}

/** Every verifier's rates over its last `window` canaries, by name. */
export function verifierRates(state: GateState, window: number): VerifierRates[] {
  return [...state.runs.values()]
    .map((runs) => ratesOf(runs.slice(-window)))
    .filter((rates) => rates !== undefined)
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

const keyOf = ({ harness, policy, image }: VerifierRates) => JSON.stringify([harness, policy, image]);

/** The rates of one series; undefined for an empty one. */
export function ratesOf(runs: readonly CanaryRun[]): VerifierRates | undefined {
  const [first] = runs;
  const last = runs.at(-1);
  if (!first || !last) return undefined;
  const bad = runs.filter(({ label }) => label === "bad");
  const good = runs.filter(({ label }) => label === "good");
  const approved = bad.filter((run) => run.approved);
  const rejected = good.filter((run) => !run.approved);
  const wrong: Record<string, number> = {};
  for (const run of [...approved, ...rejected]) wrong[run.case] = (wrong[run.case] ?? 0) + 1;
  const { harness, image, policy } = last;
  return {
    harness,
    image,
    policy,
    canaries: runs.length,
    since: first.time,
    until: last.time,
    falseApproval: errorRate(approved.length, bad.length),
    falseRejection: errorRate(rejected.length, good.length),
    wrong,
  };
}
