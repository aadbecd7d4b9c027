/** Reads what `jest --json` writes: a claim of the code under test, parsed strictly. Ids are `file > describe > name`. */
import { jestReport } from "../../domain/runner-output.ts";
import { collector, type SaidReport, type Status } from "./collect.ts";

const statuses: Partial<Record<string, Status>> = { passed: "passed", failed: "failed" };

/** A file that could not be run is one failing test of its own name. `undefined` when the text is not such a report. */
export function parseJest(text: string, mark = ""): SaidReport | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = jestReport.safeParse(json);
  if (!parsed.success) return undefined;
  const into = collector(mark);
  let count = 0;
  for (const file of parsed.data.testResults) {
    const name = file.name.replace(/^\/workspace\//, "");
    if (file.assertionResults.length === 0 && file.status === "failed" && !into.add([name], "failed")) return undefined;
    for (const { ancestorTitles, title, status, failureMessages } of file.assertionResults) {
      count++;
      const said = failureMessages?.join("\n");
      if (!into.add([name, ...ancestorTitles, title], statuses[status] ?? "skipped", said)) return undefined;
    }
  }
  // Its own count is one more thing that a forger must have right.
  return count === parsed.data.numTotalTests ? into.report() : undefined;
}
