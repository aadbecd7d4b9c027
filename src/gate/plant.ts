/**
 * Planted tests: each run carries one test that must pass and one that must fail, under a name drawn for that run. A
 * report written ahead, or a runner that was made to see nothing, does not have them. Code under test that reads its
 * own test folder can still imitate them: docs/security.md says so.
 */
import type { TestCommands } from "../domain/policy.ts";
import type { TestRun } from "../domain/test-report.ts";

export interface Plant {
  path: string;
  content: string;
  mustPass: string;
  mustFail: string;
}

/** The planted file for a runner, or undefined where the policy names none. `nonce` is random. */
export function plantedTests(commands: TestCommands, nonce: string): Plant | undefined {
  if (commands.report !== "junit" || commands.runner !== "node-test") return undefined;
  const mustPass = `${nonce} holds`;
  const mustFail = `${nonce} fails`;
  const folder = (commands.plant ?? "test").replace(/\/+$/, "");
  return {
    path: `${folder}/${nonce}.test.mjs`,
    content: `import { test } from "node:test";\ntest(${JSON.stringify(mustPass)}, () => {});\ntest(${JSON.stringify(mustFail)}, () => {\n  throw new Error("meant to fail");\n});\n`,
    mustPass,
    mustFail,
  };
}

/**
 * Takes the planted tests out of a run's results and says whether the report can be believed.
 * With a test that must fail in the run, an exit code of 0 is a lie.
 */
export function withoutPlant(
  tests: TestRun["tests"],
  exit: number | null,
  plant: Plant,
): { tests: TestRun["tests"]; forged?: string } {
  const { [plant.mustPass]: passed, [plant.mustFail]: failed, ...own } = tests;
  if (passed === undefined && failed === undefined) {
    return { tests: own, forged: "its report lacks the tests that the host planted" };
  }
  if (passed !== "passed") return { tests: own, forged: "a planted test that must pass did not" };
  if (failed !== "failed") return { tests: own, forged: "a planted test that must fail did not" };
  if (exit === 0) return { tests: own, forged: "the command ended with 0 although a planted test must fail" };
  return { tests: own };
}
