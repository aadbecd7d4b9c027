/** The runners by their name in a policy. */
import type { TestCommands } from "../../domain/policy.ts";
import { cargo } from "./cargo.ts";
import { goTest } from "./go.ts";
import { jest, mocha, nodeTest, vitest } from "./javascript.ts";
import { pytest } from "./pytest.ts";
import type { Runner } from "./runner.ts";

const runners: Readonly<Record<Exclude<NonNullable<TestCommands["runner"]>, "none">, Runner>> = {
  "node-test": nodeTest,
  vitest,
  jest,
  mocha,
  pytest,
  go: goTest,
  cargo,
};

/** The runner that the policy names; undefined where it names none. */
export function runnerOf(commands: TestCommands): Runner | undefined {
  const { runner } = commands;
  return runner === undefined || runner === "none" ? undefined : runners[runner];
}
