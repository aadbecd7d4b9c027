/** Reads what `jest --json` writes: a claim of the code under test, parsed strictly. Ids are `file > describe > name`. */
import { z } from "zod";
import { collector, type SaidReport, type Status } from "./collect.ts";

const assertion = z.object({
  ancestorTitles: z.array(z.string()),
  title: z.string(),
  status: z.enum(["passed", "failed", "skipped", "pending", "todo", "disabled", "focused"]),
  failureMessages: z.array(z.string()).nullish(),
});
const report = z.object({
  numTotalTests: z.number().int().nonnegative(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.enum(["passed", "failed", "skipped", "pending", "focused"]),
      assertionResults: z.array(assertion),
    }),
  ),
});

const statuses: Partial<Record<string, Status>> = { passed: "passed", failed: "failed" };

/** A file that could not be run is one failing test of its own name. `undefined` when the text is not such a report. */
export function parseJest(text: string, mark = ""): SaidReport | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = report.safeParse(json);
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
