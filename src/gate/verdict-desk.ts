/**
 * The verdict verb: takes a verifier's answers, tells it what to mend a bounded number of times, and keeps the first valid
 * one. Where none becomes valid, what was wrong with the last one is the reason of the rejection.
 */
import type { Finding, RejectionReason } from "../domain/rejection.ts";
import type { Verdict } from "../domain/verdict.ts";
import type { VerbAnswer } from "../sandbox/role-run.ts";
import { type Asked, checkVerdict, type Problem } from "./check-verdict.ts";

/** How many answers a verifier may have refused; with the last of them its turn is over. */
export const mostRefusedVerdicts = 6;

export interface VerdictDesk {
  /** The verb's answer: 200 taken, 422 with what to mend, 409 after a valid one, 429 after too many refused ones. */
  take(body: unknown): VerbAnswer;
  /** The first valid verdict. */
  readonly verdict: Verdict | undefined;
  /** Answers that were refused. */
  readonly refused: number;
  /** The rejection that the last refused answer comes to; undefined where there was none. */
  failure(): Finding[] | undefined;
}

/** Opens the desk for one turn. `onEnd` is called once, when nothing more is taken. */
export function openDesk(asked: Asked, onEnd: () => void = () => {}): VerdictDesk {
  let verdict: Verdict | undefined;
  let problems: readonly Problem[] = [];
  let refused = 0;
  return {
    get verdict() {
      return verdict;
    },
    get refused() {
      return refused;
    },
    take(body) {
      if (verdict) return { status: 409, body: { code: "verdict-given", next: "The first valid verdict counts." } };
      if (refused >= mostRefusedVerdicts) return tooOften;
      const checked = checkVerdict(body, asked);
      if ("verdict" in checked) {
        verdict = checked.verdict;
        onEnd();
        return { status: 200, body: { ok: true } };
      }
      refused += 1;
      problems = checked.problems;
      const left = mostRefusedVerdicts - refused;
      if (left === 0) onEnd();
      const malformed = problems.some(({ reason }) => reason === "verdict-malformed");
      const next =
        left > 0
          ? `Nothing is decided yet. Mend what \`problems\` names and send the whole verdict again: ${left} more may be refused.`
          : "Too many were refused: the turn is over.";
      return {
        status: 422,
        body: {
          code: malformed ? "verdict-malformed" : "verdict-refused",
          next,
          problems: problems.map(({ at, what, mend, use }) => ({
            at,
            what,
            mend,
            ...(use === undefined ? {} : { use }),
          })),
        },
      };
    },
    failure: () => (refused === 0 ? undefined : failureOf(problems, refused)),
  };
}

const tooOften: VerbAnswer = {
  status: 429,
  body: { code: "refused-too-often", next: "End the work: the host takes no more verdicts of this turn." },
};

/** One finding for each kind of fault. It says nothing against the proposal, and does not pretend to. */
function failureOf(problems: readonly Problem[], refused: number): Finding[] {
  const kinds = new Map<RejectionReason, Problem>();
  for (const problem of problems) if (!kinds.has(problem.reason)) kinds.set(problem.reason, problem);
  return [...kinds.values()].map(({ reason, at, what }) => ({
    reason,
    message: `The verifier gave no verdict that can be used (${refused} refused; the last one, at ${at || "its whole"}: ${what}). Nothing was found against the change.`,
  }));
}
