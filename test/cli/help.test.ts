/** The help of every command: what for, examples that the real parser takes, and lines that fit 80 columns. */
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { buildProgram, everyCommand } from "../../src/cli/program.ts";

const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();

/** What `--help` prints, examples and all. */
function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (more) => {
      text += more;
    },
    getOutHelpWidth: () => 80,
  });
  command.outputHelp();
  return text;
}

const examplesOf = (help: string): string[] =>
  (/\nExamples:\n((?: {2}.+\n?)+)/.exec(help)?.[1] ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** The words of each `sallyport …` in a shell line, quotes taken away; what a pipe, `&`, `>` or `--` begins is left out. */
function callsIn(line: string): string[][] {
  const words = [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, bare]) => ({
    text: double ?? single ?? bare ?? "",
    bare: bare !== undefined,
  }));
  const calls: string[][] = [];
  let open: string[] | undefined;
  for (const { text, bare } of words) {
    if (bare && /^(?:\||&&|&|;|>|--)$/.test(text)) open = undefined;
    else if (bare && text === "sallyport" && !open) {
      open = [];
      calls.push(open);
    } else open?.push(text);
  }
  return calls.filter((words) => words.length > 0);
}

const reached = new Error("reached its action");

/** Parses a call as the command line does, and stops before it does anything. Throws what the parser says. */
async function parse(words: readonly string[]): Promise<Command> {
  const program = buildProgram();
  let found: Command | undefined;
  program.hook("preAction", (_, command) => {
    found = command;
    throw reached;
  });
  for (const one of everyCommand(program))
    one.configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  await program.parseAsync(words, { from: "user" }).catch((thrown: unknown) => {
    if (thrown !== reached) throw thrown;
  });
  if (!found) throw new Error(`${words.join(" ")} does nothing`);
  return found;
}

const all = everyCommand(buildProgram());

describe.each(all.map((command) => [pathOf(command), command] as const))("%s", (path, command) => {
  const help = helpOf(command);

  it("says what it is for, within 80 columns", () => {
    expect(command.description()).toMatch(/^[A-Z].{10,}[.?]$/);
    expect(help.split("\n").filter((line) => line.length > 80)).toEqual([]);
    expect(help.split("\n").filter((line) => / $/.test(line))).toEqual([]);
  });

  it("has examples that the parser takes, of this command", async () => {
    const examples = examplesOf(help);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const calls = callsIn(example);
      expect(calls.length, example).toBeGreaterThan(0);
      for (const words of calls) {
        const taken = pathOf(await parse(words));
        expect(taken === path || taken.startsWith(`${path} `), `${example} is one of ${taken}`).toBe(true);
      }
    }
  });
});

describe("the test of examples itself", () => {
  it("sees a wrong option, a missing argument and an unknown command", async () => {
    await expect(parse(["list", "--limt", "4"])).rejects.toThrow(/unknown option/);
    await expect(parse(["show"])).rejects.toThrow(/missing required argument/);
    await expect(parse(["frobnicate"])).rejects.toThrow(/unknown command/);
    expect(callsIn("sallyport policy schema > schema.json && sallyport list")).toEqual([
      ["policy", "schema"],
      ["list"],
    ]);
  });
});

it("the top help puts commands in groups, each command once", () => {
  const help = helpOf(buildProgram());
  for (const heading of ["Delegate and look:", "Land:", "Audit:", "Operate:", "Write policies:"])
    expect(help).toContain(`\n${heading}\n`);
  expect(help).toContain("Exit codes:");
  for (const command of buildProgram().commands)
    expect(help.match(new RegExp(`^  ${command.name()} `, "gm")), command.name()).toHaveLength(1);
});
