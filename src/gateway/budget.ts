/** A lane's requests: counted before anything is awaited, so that no number of them at once passes the cap. */
import { overBudgetDelay, recordedOverBudget } from "./limits.ts";

export interface Budget {
  /** Takes one. `record` says whether a refusal is still recorded by itself. */
  take(): { ok: true } | { ok: false; record: boolean };
  over(): boolean;
  /** Refusals that were counted and not recorded one by one. */
  unrecorded(): number;
}

/** A budget of `requests`; 0 means none. */
export function createBudget(requests: number): Budget {
  let used = 0;
  let refused = 0;
  return {
    take() {
      if (used < requests) {
        used += 1;
        return { ok: true };
      }
      refused += 1;
      return { ok: false, record: refused <= recordedOverBudget };
    },
    over: () => refused > 0,
    unrecorded: () => Math.max(0, refused - recordedOverBudget),
  };
}

/** What an answer over the budget waits: a flood of refused calls must stay cheap for the other lanes. */
export function delayOverBudget(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, overBudgetDelay).unref());
}
