/** The command line as a tree: one file a command group, put together and grouped here. Nothing is run. */
import type { Command } from "commander";
import { version } from "../host/version.ts";
import { apiCommand } from "./api.ts";
import { auditCommand } from "./audit.ts";
import { backupCommands } from "./backup.ts";
import { completionCommand } from "./completion.ts";
import { configCommand } from "./config.ts";
import { consoleCommand } from "./console.ts";
import { command } from "./context.ts";
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
import { tokenCommand } from "./token.ts";

/** What the help puts together. What is in no group is the operator's. */
const groups: readonly [heading: string, names: readonly string[]][] = [
  ["Delegate and look:", ["delegate", "plan", "run", "mcp", "list", "show", "diff", "log", "stop", "executors"]],
  ["Land:", ["land", "verify", "act", "discard"]],
  ["Audit:", ["audit", "console"]],
  [
    "Operate:",
    [
      "doctor",
      "config",
      "daemon",
      "drain",
      "token",
      "api",
      "gc",
      "backup",
      "restore",
      "install",
      "completion",
      "man",
      "image",
      "gate",
    ],
  ],
  ["Write policies:", ["policy"]],
];

/** Every command below one, itself included. */
export const everyCommand = (of: Command): Command[] => [of, ...of.commands.flatMap((one) => everyCommand(one))];

/** Makes it anew: options that were parsed stay in a tree. */
export function buildProgram(): Command {
  const program = command("sallyport", "A sandbox-first host for harnesses that hire other harnesses.", [
    "sallyport doctor",
    "sallyport image build --all",
    "sallyport daemon &",
    "sallyport delegate brief.yaml --repo /srv/git/money.git --wait",
  ]).version(version);
  const made = [
    ...[delegateCommand(), planCommand(), runCommand(), mcpCommand()],
    ...lookCommands(),
    executorsCommand(),
    ...decideCommands(),
    ...[auditCommand(), consoleCommand()],
    ...[
      doctorCommand(),
      configCommand(),
      daemonCommand(),
      drainCommand(),
      tokenCommand(),
      apiCommand(),
      gcCommand(),
      ...backupCommands(),
      installCommand(),
      completionCommand(),
      manCommand(),
      imageCommand(),
      gateCommand(),
    ],
    policyCommand(),
  ];
  for (const [heading, names] of groups)
    for (const one of made.filter((each) => names.includes(each.name()))) program.addCommand(one.helpGroup(heading));
  for (const one of made) if (!program.commands.includes(one)) program.addCommand(one.helpGroup("Operate:"));
  program
    .commandsGroup("Help:")
    .addHelpText(
      "after",
      [
        "",
        "Exit codes: 0 done or approved, 1 rejected, 2 usage or invalid input, 3 stuck,",
        "4 over budget, 5 refused by policy or a missing control, 6 the host failed.",
      ].join("\n"),
    );
  for (const one of everyCommand(program)) one.exitOverride();
  return program;
}
