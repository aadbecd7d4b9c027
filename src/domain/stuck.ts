/** Stuck: what the host takes for an executor that gets nowhere, and what it tells of it. Schema only. */
import { z } from "zod";
import { settled, type Units, written } from "./units.ts";

function stuckOf(units: Units) {
  return z.strictObject({
    silence: units.duration.describe(
      "How long an executor may print nothing, ask for nothing, change nothing and use no processor. 0: not watched.",
    ),
    upstream: units.duration.describe("How long an open request to a model may bring nothing back. 0: not watched."),
    repeats: units.count.describe(
      "How often the same request to a model may come in a row, or the same denied request while nothing changes. 0: not watched.",
    ),
    denials: units.count.describe("How many requests in a row may be denied, none allowed between. 0: not watched."),
    idleTokens: units.count.describe("Tokens that models may use while the layer does not change. 0: not watched."),
    idleRequests: units.count.describe("Requests to models while the layer does not change. 0: not watched."),
  });
}
/** The thresholds as they are written, and once they are read: durations in milliseconds. */
export const writtenStuck = stuckOf(written);
export const settledStuck = stuckOf(settled);
/** What is left out is not watched for. */
export type StuckThresholds = Partial<Record<keyof z.infer<typeof settledStuck>, number | undefined>>;

/** The detectors: each ends the sandbox with a reason of its own. */
export const stuckDetector = z.enum([
  "never-started",
  "silent",
  "no-upstream",
  "same-model-request",
  "same-denied-request",
  "denial-streak",
  "idle-tokens",
  "idle-requests",
]);
export type StuckDetector = z.infer<typeof stuckDetector>;

/** What a detector saw: counts, milliseconds, and requests as the ledger has them. */
export const stuckSeen = z.record(z.string(), z.union([z.number(), z.string().max(2100)]));
export type StuckSeen = z.infer<typeof stuckSeen>;
