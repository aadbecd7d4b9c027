/** Several runs of one tree as one: what always ended the same, and what did not. Pure. */
import type { TestRun } from "../domain/test-report.ts";

type Status = TestRun["tests"][string];

export interface Merged {
  run: TestRun;
  /** Tests that did not end the same in every run, or were not in every run. */
  flaky: string[];
}

/** One tree is run so often at most, repetitions for a whole green run included. */
export const mostRuns = 5;

const rank: Record<Status, number> = { passed: 0, skipped: 1, failed: 2 };

/** The tests that fail in a run and may not. */
function failing(run: TestRun, breaks: ReadonlySet<string>): string[] {
  return Object.keys(run.tests).filter((id) => run.tests[id] === "failed" && !breaks.has(id));
}

/** Whether a run is red by tests that are known to be flaky, and by nothing else. */
export function isFlakyRed(run: TestRun, known: ReadonlySet<string>, breaks: readonly string[]): boolean {
  if (run.green || run.ended !== "exit" || run.forged !== undefined) return false;
  const red = failing(run, new Set(breaks));
  return red.length > 0 && red.every((id) => known.has(id));
}

/**
 * Merges runs of one tree, at least one. `known` are the tests that are flaky on the base: a run that is red by them alone
 * does not make the whole red, as long as one run was green to its end. A run that was cut or is not believed stands for
 * all. A test's status is its worst; one that was not in every run is in none.
 */
export function mergeRuns(runs: readonly TestRun[], known: ReadonlySet<string>, breaks: readonly string[]): Merged {
  const [first] = runs;
  if (!first) throw new Error("no runs to merge");
  if (runs.length === 1) return { run: first, flaky: [] };
  const odd = runs.find((run) => run.ended !== "exit" || run.forged !== undefined);
  if (odd) return { run: odd, flaky: [] };
  const tests = new Map<string, Status>();
  const flaky: string[] = [];
  for (const id of new Set(runs.flatMap((run) => Object.keys(run.tests)))) {
    const seen = runs.map((run) => (Object.hasOwn(run.tests, id) ? run.tests[id] : undefined));
    if (seen.some((status) => status !== seen[0])) flaky.push(id);
    const there = seen.filter((status) => status !== undefined);
    if (there.length === seen.length)
      tests.set(
        id,
        there.reduce((worst, one) => (rank[one] > rank[worst] ? one : worst)),
      );
  }
  const red = runs.filter((run) => !run.green);
  const green = red.length < runs.length && red.every((run) => isFlakyRed(run, known, breaks));
  const shown = (green ? runs.find((run) => run.green) : red[0]) ?? first;
  return { run: { ...shown, green, tests: Object.fromEntries(tests) }, flaky };
}
