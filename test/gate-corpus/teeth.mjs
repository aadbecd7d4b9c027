// Whether the tests of a JavaScript result tree bite: they pass as they are, and fail when the code is made wrong.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Runs the result tree's tests once as it is and once for each mutant (files by path, laid over it). Ends the hidden test
 * as failed where the first is red or a mutant survives. `command` is the test command.
 */
export function demandTeeth(mutants, command = ["node", "--test"]) {
  const run = (files) => {
    const directory = mkdtempSync(join(tmpdir(), "teeth-"));
    try {
      cpSync(process.cwd(), directory, { recursive: true });
      for (const [path, content] of Object.entries(files)) writeFileSync(join(directory, path), content);
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      return spawnSync(command[0], command.slice(1), { cwd: directory, env, timeout: 60_000, encoding: "utf8" });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  };
  const plain = run({});
  if (plain.status !== 0) {
    console.error(`its own tests are red:\n${plain.stdout.slice(-800)}`);
    process.exit(1);
  }
  for (const [name, files] of Object.entries(mutants)) {
    if (run(files).status === 0) {
      console.error(`its tests do not see that ${name}`);
      process.exit(1);
    }
  }
}
