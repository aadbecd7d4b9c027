/** What every command shares: the global options, how it prints, and how it ends. */
import { Command } from "commander";
import { asSallyportError, exitCode } from "../domain/error.ts";
import { visible, visibleJson } from "../domain/visible.ts";
import { type StateDirectory, stateDirectory } from "../host/state-directory.ts";

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

/** A command with the options that every command takes, and examples in its help. */
export function command(name: string, summary: string, examples: string[] = []): Command {
  const made = new Command(name)
    .description(summary)
    .option("--json", "print JSON for machines")
    .option("--state <dir>", `the state directory (or SALLYPORT_STATE; else ${defaultState})`)
    .option("--socket <path>", "the daemon's socket (or SALLYPORT_SOCKET; else host.sock of the state directory)")
    .showHelpAfterError("(--help shows the options and examples)")
    .configureOutput({ writeErr: (text) => process.stderr.write(text) });
  if (examples.length > 0) made.addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);
  return made;
}

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

/** Prints an error: what was found, where, and what to do. Returns the exit code. */
export function explain(thrown: unknown, json: boolean): number {
  const error = asSallyportError(thrown);
  if (json) print({ error });
  else {
    process.stderr.write(`sallyport: ${safe(error.message)}\n`);
    if (error.next) process.stderr.write(`  next: ${safe(error.next)}\n`);
    process.stderr.write(`  code: ${error.code}${error.at ? ` at ${safe(error.at)}` : ""}\n`);
    if (error.code === "internal" && error.cause instanceof Error)
      process.stderr.write(`${safe(error.cause.stack ?? "")}\n`);
  }
  return error.exitCode;
}

/** JSON, for machines; on a terminal it is as harmless. */
export function print(value: unknown): void {
  process.stdout.write(`${visibleJson(JSON.stringify(value, null, 2))}\n`);
}

/** A line for people. Whatever it quotes cannot move the cursor or turn the text around. */
export function say(line: string): void {
  process.stdout.write(`${safe(line)}\n`);
}

/** Text with control and bidi characters shown as escapes; newlines and tabs stay. */
export const safe = visible;

/** Rows as columns that fit. */
export function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export const done = exitCode.done;
