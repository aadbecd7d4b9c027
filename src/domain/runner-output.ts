/** What test runners write in their own forms, as far as it is read: `jest --json`, and a line of `go test -json`. */
import { z } from "zod";

const jestAssertion = z.object({
  ancestorTitles: z.array(z.string()),
  title: z.string(),
  status: z.enum(["passed", "failed", "skipped", "pending", "todo", "disabled", "focused"]),
  failureMessages: z.array(z.string()).nullish(),
});

export const jestReport = z.object({
  numTotalTests: z.number().int().nonnegative(),
  testResults: z.array(
    z.object({
      name: z.string().describe("The file."),
      status: z.enum(["passed", "failed", "skipped", "pending", "focused"]),
      assertionResults: z.array(jestAssertion),
    }),
  ),
});

/** An event of cmd/test2json. */
export const goEvent = z.object({
  Action: z.string().max(100),
  Package: z.string().max(2000).optional(),
  Test: z.string().max(4000).optional(),
  Output: z.string().optional(),
});
export type GoEvent = z.infer<typeof goEvent>;
