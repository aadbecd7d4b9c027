/** Whether a test run's report is believed, and whether the run is green. The exit code and the report must agree. Pure. */
import type { TestCommands } from "../domain/policy.ts";
import type { TestRun } from "../domain/test-report.ts";
import { type Plant, withoutPlant } from "./plant.ts";

/** The report as it was found: its tests, or why there is none to believe. */
export type FoundReport = { tests: TestRun["tests"] } | { why: string };

export interface Ended {
  ended: TestRun["ended"];
  exit: number | null;
  report: FoundReport;
  plant: Plant | undefined;
}

/** `breaks` are the tests that may fail. */
export function believe(
  commands: TestCommands,
  run: Ended,
  breaks: readonly string[],
): Pick<TestRun, "tests" | "green" | "forged"> {
  const { ended, exit, report, plant } = run;
  // Cut by the host: an honest endless loop leaves no whole report either. It is not green, and no forgery.
  if (ended !== "exit") return { tests: {}, green: false };
  if (commands.report === "exit") return { tests: {}, green: exit === 0 };
  if ("why" in report) return { tests: {}, green: false, forged: `${report.why} (exit code ${exit})` };
  const { tests, forged } = plant ? withoutPlant(report.tests, exit, plant) : agreeing(report.tests, exit);
  const failing = Object.keys(tests).some((id) => tests[id] === "failed" && !breaks.includes(id));
  return { tests, green: forged === undefined && !failing, ...(forged === undefined ? {} : { forged }) };
}

/** Without planted tests the exit code is the only word beside the report's. */
function agreeing(tests: TestRun["tests"], exit: number | null): { tests: TestRun["tests"]; forged?: string } {
  const failing = Object.values(tests).includes("failed");
  if (failing === (exit !== 0)) return { tests };
  return {
    tests,
    forged: failing
      ? "the command ended with 0 although its report shows a failing test"
      : `the command ended with ${exit} although its report shows no failing test`,
  };
}
