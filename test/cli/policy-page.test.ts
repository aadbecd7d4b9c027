import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeState } from "./policy-state.ts";

/**
 * docs/policy.md, run from top to bottom: a yaml block with a name is a file, a console block is a transcript. A line `...`
 * in a transcript stands for any output up to what follows it.
 */
const house = join(import.meta.dirname, "../..");
const page = await readFile(join(house, "docs/policy.md"), "utf8");
const blocks = [...page.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)].map(([, kind, name, text = ""]) => ({
  kind,
  name,
  text,
}));

let directory: string;
let state: Awaited<ReturnType<typeof makeState>>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "policy-page-"));
  state = await makeState();
});
afterAll(async () => {
  await state.drop();
  await rm(directory, { recursive: true, force: true });
});

interface Step {
  command: string;
  output: string[];
}

function steps(text: string): Step[] {
  const found: Step[] = [];
  for (const row of text.split("\n").slice(0, -1)) {
    if (row.startsWith("$ ")) found.push({ command: row.slice(2), output: [] });
    else found.at(-1)?.output.push(row);
  }
  return found;
}

function shell(command: string): Promise<string> {
  const environment = {
    ...process.env,
    PATH: `${join(house, "bin")}:${process.env.PATH}`,
    SALLYPORT_STATE: state.root,
  };
  return new Promise((resolve) => {
    execFile(
      "bash",
      ["-c", `exec 2>&1; ${command}`],
      { cwd: directory, env: environment, timeout: 30_000 },
      (_, stdout) => resolve(stdout),
    );
  });
}

function matches(output: string, expected: readonly string[]): boolean {
  const pattern = expected
    .map((row) => (row === "..." ? "(?:.*\n)*?" : `${row.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\n`))
    .join("");
  return new RegExp(`^${pattern}$`).test(output);
}

test("every command of docs/policy.md does what the page shows", async () => {
  const transcripts = blocks.filter(({ kind }) => kind === "console");
  expect(transcripts.length).toBeGreaterThan(4);
  for (const { kind, name, text } of blocks) {
    if (kind === "yaml" && name) await writeFile(join(directory, name), text);
    if (kind !== "console") continue;
    for (const { command, output } of steps(text)) {
      const said = await shell(command);
      expect(matches(said, output), `$ ${command}\n${said}`).toBe(true);
      expect(said, command).not.toMatch(/internal|at file:/);
    }
  }
}, 120_000);
