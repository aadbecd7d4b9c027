/** The command line: one file a command group, composed here. */
import { CommanderError } from "commander";
import { exitCode } from "../domain/error.ts";
import { version } from "../host/version.ts";
import { auditCommand } from "./audit.ts";
import { backupCommands } from "./backup.ts";
import { completionCommand } from "./completion.ts";
import { configCommand } from "./config.ts";
import { command, explain } from "./context.ts";
import { daemonCommand } from "./daemon.ts";
import { decideCommands } from "./decide.ts";
import { delegateCommand } from "./delegate.ts";
import { doctorCommand } from "./doctor.ts";
import { drainCommand } from "./drain.ts";
import { executorsCommand } from "./executors.ts";
import { gateCommand } from "./gate.ts";
import { gcCommand } from "./gc.ts";
import { imageCommand } from "./image.ts";
import { installCommand } from "./install.ts";
import { lookCommands } from "./look.ts";
import { manCommand } from "./man.ts";
import { mcpCommand } from "./mcp.ts";
import { planCommand } from "./plan.ts";
import { policyCommand } from "./policy.ts";
import { runCommand } from "./run.ts";

const program = command("sallyport", "A sandbox-first host for harnesses that hire other harnesses.", [
  "sallyport doctor",
  "sallyport image build --all",
  "sudo sallyport daemon &",
  "sallyport delegate brief.yaml --repo /srv/git/money.git --wait",
]).version(version);
for (const group of [
  doctorCommand(),
  configCommand(),
  daemonCommand(),
  drainCommand(),
  imageCommand(),
  policyCommand(),
  delegateCommand(),
  planCommand(),
  runCommand(),
  ...lookCommands(),
  ...decideCommands(),
  executorsCommand(),
  gateCommand(),
  gcCommand(),
  ...backupCommands(),
  installCommand(),
  completionCommand(),
  manCommand(),
  mcpCommand(),
  auditCommand(),
]) {
  program.addCommand(group);
}

// `sallyport audit show | head` is no fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
  throw error;
});

const everyCommand = (of: typeof program): (typeof program)[] => [
  of,
  ...of.commands.flatMap((c) => everyCommand(c as typeof program)),
];
for (const one of everyCommand(program)) one.exitOverride();

try {
  await program.parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? exitCode.done : exitCode.usage;
  else process.exitCode = explain(thrown, process.argv.includes("--json"));
}
