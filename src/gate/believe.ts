/** Whether a test run's report is believed, and whether the run is green. The exit code and the report must agree. Pure. */
import type { TestCommands } from "../domain/policy.ts";
import type { TestRun } from "../domain/test-report.ts";
import { type Plant, withoutPlant } from "./plant.ts";
import type { SaidReport } from "./reports/collect.ts";

/** The report as it was found, or why there is none to believe; `none` where the command left nothing at all. */
export type FoundReport = SaidReport | { why: string; none?: true };

export interface Ended {
  ended: TestRun["ended"];
  exit: number | null;
  report: FoundReport;
  plant: Plant | undefined;
  /** Folders whose planted tests need not have run: on the base, where it is found out which do. */
  optional?: ReadonlySet<string>;
}

export interface Believed extends Pick<TestRun, "tests" | "green" | "forged"> {
  /** The folders whose planted tests ran. */
  live: string[];
}

/** `breaks` are the tests that may fail. */
export function believe(commands: TestCommands, run: Ended, breaks: readonly string[]): Believed {
  const { ended, exit, report, plant } = run;
  const red = { tests: {}, green: false, live: [] };
  // Cut by the host: an honest endless loop leaves no whole report either. It is not green, and no forgery.
  if (ended !== "exit") return red;
  if (commands.report === "exit") return { ...red, green: exit === 0 };
  if ("why" in report) {
    // Such a runner writes nothing when one file does not load: red, which is all that an honest mistake deserves.
    if (report.none && exit !== 0 && plant?.runner.fallsTogether === "all") return red;
    return { ...red, forged: `${report.why} (exit code ${exit})` };
  }
  const { tests, live, forged, unloaded } = plant
    ? withoutPlant(report, exit, plant, run.optional)
    : agreeing(report.tests, exit);
  const failing = Object.keys(tests).some((id) => tests[id] === "failed" && !breaks.includes(id));
  const green = forged === undefined && unloaded === undefined && !failing;
  return { tests, green, live, ...(forged === undefined ? {} : { forged }) };
}

/** Without planted tests the exit code is the only word beside the report's. */
function agreeing(
  tests: TestRun["tests"],
  exit: number | null,
): { tests: TestRun["tests"]; live: string[]; forged?: string; unloaded?: true } {
  const failing = Object.values(tests).includes("failed");
  if (failing === (exit !== 0)) return { tests, live: [] };
  return {
    tests,
    live: [],
    forged: failing
      ? "the command ended with 0 although its report shows a failing test"
      : `the command ended with ${exit} although its report shows no failing test`,
  };
}
