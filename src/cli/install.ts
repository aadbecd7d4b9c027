/** `sallyport install`: units, manual page, completion and a first configuration on this machine. */
import { access, realpath } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { configJsonSchema } from "../domain/config.ts";
import { completionText, programOf } from "./completion.ts";
import { command, done, explain, globals, print, say } from "./context.ts";
import { manText } from "./man.ts";

interface InstallFlags {
  prefix: string;
  root: string;
  program?: string;
  dryRun?: true;
  uninstall?: true;
}

async function run(flags: InstallFlags, own: Command): Promise<number> {
  const { install, uninstall } = await import("../host/install.ts");
  const top = programOf(own);
  const options = {
    prefix: flags.prefix,
    root: flags.root,
    program: flags.program ?? (await realpath(join(import.meta.dirname, "../../bin/sallyport"))),
    man: manText(top),
    completion: {
      bash: completionText(top, "bash"),
      zsh: completionText(top, "zsh"),
      fish: completionText(top, "fish"),
    },
    schema: `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
    dryRun: flags.dryRun === true,
  };
  const steps = await (flags.uninstall ? uninstall(options) : install(options));
  if (globals(own).json) {
    print({ dryRun: options.dryRun, steps });
    return done;
  }
  for (const { path, what } of steps) say(`${what.padEnd(9)} ${path}`);
  if (options.dryRun) say("nothing was changed: this was a dry run");
  else if (flags.uninstall) say("the state, /var/lib/sallyport, stays: it holds the ledger and the key");
  else {
    const booted = await access("/run/systemd/system").then(
      () => true,
      () => false,
    );
    say("next: sallyport doctor; sallyport image build --all; edit /var/lib/sallyport/config.yaml; then");
    say(
      booted
        ? "  systemctl daemon-reload && systemctl enable --now sallyport.socket sallyport.service"
        : "  start it: sallyport daemon (no systemd runs here)",
    );
  }
  return done;
}

export function installCommand(): Command {
  return command("install", "Put service units, manual page, completion and a first configuration in place.", [
    "sudo sallyport install --dry-run",
    "sudo sallyport install",
    "sudo sallyport install --uninstall",
  ])
    .option("--prefix <dir>", "where manual page and completion go", "/usr/local")
    .option("--root <dir>", "put before every path, such as an image's root", "/")
    .option("--program <path>", "what the unit starts (left out: this program)")
    .option("--dry-run", "only say what would be done")
    .option("--uninstall", "take away what was installed and is as it was")
    .action(async (flags: InstallFlags, own: Command) => {
      try {
        process.exitCode = await run(flags, own);
      } catch (error) {
        process.exitCode = explain(error, globals(own).json);
      }
    });
}
