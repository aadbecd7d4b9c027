/** What every command shares: the global options, how it prints, and how it ends. */
import { type Argument, Command } from "commander";
import { asSallyportError, exitCode } from "../domain/error.ts";
import { visibleJson } from "../domain/visible.ts";
import { type StateDirectory, stateDirectory } from "../host/state-directory.ts";
import { type Line, render } from "./terminal.ts";

export { table } from "./table.ts";
export { safe } from "./terminal.ts";

export interface Globals {
  json: boolean;
  state: StateDirectory;
}

const defaultState = "/var/lib/sallyport";

/** The global options, wherever on the line they stand. */
export function globals(command: Command): Globals {
  const options = command.optsWithGlobals<{ json?: boolean; state?: string; socket?: string }>();
  return {
    json: options.json === true,
    state: stateDirectory(
      options.state ?? process.env.SALLYPORT_STATE ?? defaultState,
      options.socket ?? (process.env.SALLYPORT_SOCKET || undefined),
    ),
  };
}

/** The widest that help is printed: it is read on terminals of 80 columns too. */
const helpWidth = 80;

/** A command with the options that every command takes, and examples in its help. */
export function command(name: string, summary: string, examples: string[] = []): Command {
  const narrow = (columns: number | undefined) => Math.min(columns || helpWidth, helpWidth);
  const made = new Command(name)
    .description(summary)
    .option("--json", "print JSON for machines")
    .option("--state <dir>", `the state directory (or SALLYPORT_STATE; else ${defaultState})`)
    .option("--socket <path>", "the daemon's socket (or SALLYPORT_SOCKET; else host.sock of the state directory)")
    .configureOutput({
      getOutHelpWidth: () => narrow(process.stdout.columns),
      getErrHelpWidth: () => narrow(process.stderr.columns),
      // What the parser finds is thrown, and explained like every other error.
      outputError: () => undefined,
    })
    .configureHelp({
      subcommandTerm: (one) => [one.name(), ...one.registeredArguments.map(argumentTerm)].join(" "),
      styleTitle: (title) => render([[title, "strong"]], process.stdout),
      styleCommandText: (text) => render([[text, "name"]], process.stdout),
      styleOptionText: (text) => render([[text, "name"]], process.stdout),
    });
  if (examples.length > 0) made.addHelpText("after", () => examplesText(examples));
  return made;
}

const argumentTerm = (one: Argument) => {
  const text = `${one.name()}${one.variadic ? "..." : ""}`;
  return one.required ? `<${text}>` : `[${text}]`;
};

const examplesText = (examples: readonly string[]) =>
  `\n${render([["Examples:", "strong"]], process.stdout)}\n${examples.map((line) => `  ${line}`).join("\n")}`;

/** Wraps an action: its return value is the exit code, an error is explained and gives its own. */
export function action<A extends unknown[]>(
  run: (globals: Globals, ...args: A) => Promise<number>,
): (...args: [...A, Command]) => Promise<void> {
  return async (...args) => {
    const own = args.at(-1) as Command;
    const shared = globals(own);
    try {
      process.exitCode = await run(shared, ...(args.slice(0, -1) as A));
    } catch (thrown) {
      process.exitCode = explain(thrown, shared.json);
    }
  };
}

/** Prints an error: what was found, where, what to do, and its code. Returns the exit code. */
export function explain(thrown: unknown, json: boolean): number {
  const error = asSallyportError(thrown);
  if (json) print({ error });
  else {
    const lines: Line[] = [[["error: ", "bad"], error.message.trimEnd()]];
    if (error.at) lines.push([["  at ", "dim"], error.at]);
    if (error.next) lines.push([["  next: ", "name"], error.next.trimEnd()]);
    lines.push([
      ["  code: ", "dim"],
      [error.code, "dim"],
    ]);
    if (error.code === "internal" && error.cause instanceof Error) lines.push(error.cause.stack ?? "");
    for (const line of lines) tell(line);
  }
  return error.exitCode;
}

/** JSON, for machines; on a terminal it is as harmless. */
export function print(value: unknown): void {
  process.stdout.write(`${visibleJson(JSON.stringify(value, null, 2))}\n`);
}

/** A line for people, on standard output. Whatever it quotes cannot move the cursor or turn the text around. */
export function say(line: Line): void {
  process.stdout.write(`${render(line, process.stdout)}\n`);
}

/** A line beside the answer, on standard error: what to do next, what went wrong. */
export function tell(line: Line): void {
  process.stderr.write(`${render(line, process.stderr)}\n`);
}

/** What to type next. */
export const sayNext = (text: string): void => tell([["  next: ", "name"], text]);

export const done = exitCode.done;
