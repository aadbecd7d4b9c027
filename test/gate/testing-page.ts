/** The blocks of docs/testing.md by the comment in their first line: what is written there is what is run by tests. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { TestCommands } from "../../src/domain/policy.ts";
import { policyFile } from "../../src/domain/policy.ts";

const page = readFileSync(new URL("../../docs/testing.md", import.meta.url), "utf8");

const blocks = new Map(
  [...page.matchAll(/```yaml\n# runner: (.+)\n([\s\S]*?)```/g)].map(([, name, text]) => [name ?? "", text ?? ""]),
);

/** The `tests:` of a block, as a policy would hold it. */
export function blockOf(name: string): TestCommands {
  const text = blocks.get(name);
  if (text === undefined) throw new Error(`docs/testing.md has no block ${name}`);
  const { tests } = policyFile.parse({ version: 1, ...parse(text) });
  return { ...tests, wall: 120_000 } as TestCommands;
}
