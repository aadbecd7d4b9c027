/** Runs the command line. */
import { CommanderError } from "commander";
import { exitCode, SallyportError } from "../domain/error.ts";
import { explain } from "./context.ts";
import { buildProgram } from "./program.ts";

// `sallyport audit show | head` is no fault.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
    throw error;
  });

/** What the parser says, as an error like every other: what was found, and what to do. */
function usage({ message, code }: CommanderError): SallyportError {
  const [, what = message, meant] = /^(?:error: )?([\s\S]*?)(?:\s*\(Did you mean (.*?)\?\))?$/.exec(message) ?? [];
  const help = "--help shows the options and examples.";
  return new SallyportError("usage", what, {
    next: meant ? `Did you mean ${meant}? ${help}` : code === "commander.missingArgument" ? `Name it; ${help}` : help,
  });
}

try {
  await buildProgram().parseAsync();
} catch (thrown) {
  const json = process.argv.includes("--json");
  if (!(thrown instanceof CommanderError)) process.exitCode = explain(thrown, json);
  else if (thrown.exitCode === 0) process.exitCode = exitCode.done;
  // A group without a command shows its help.
  else process.exitCode = thrown.code === "commander.help" ? exitCode.usage : explain(usage(thrown), json);
}
