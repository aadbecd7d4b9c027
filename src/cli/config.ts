/** `sallyport config check|show|schema`: what the operator's configuration says. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { configJsonSchema, type HostConfig } from "../domain/config.ts";
import { action, command, done, type Globals, print, say } from "./context.ts";

async function load({ state }: Globals, file: string | undefined): Promise<{ file: string; config: HostConfig }> {
  const { loadConfig, readConfig } = await import("../host/config.ts");
  if (file === undefined) return { file: state.config, config: await loadConfig(state) };
  return { file, config: await readConfig(resolve(file)) };
}

async function check(shared: Globals, named: string | undefined): Promise<number> {
  const [{ configWarnings }, { checkConfigured }] = await Promise.all([
    import("../host/check-config.ts"),
    import("../host/listeners.ts"),
  ]);
  const { file, config } = await load(shared, named);
  await checkConfigured(config, shared.state);
  const warnings = await configWarnings(config);
  if (shared.json) print({ file, warnings });
  else {
    say(`${file} is valid: ${Object.keys(config.planners).length} planners, ${config.lanes} lanes`);
    for (const { at, message } of warnings) say(`warning: ${at ? `${at} ` : ""}${message}`);
  }
  return done;
}

async function show(shared: Globals, named: string | undefined): Promise<number> {
  print((await load(shared, named)).config);
  return done;
}

export function configCommand(): Command {
  const file = "a file; left out: config.yaml of the state directory";
  return command("config", "What the operator's configuration says.", ["sallyport config check"])
    .addCommand(
      command("check", "Whether it is valid, with line and column of what is not.", [
        "sallyport config check",
        "sallyport config check ./config.yaml",
      ])
        .argument("[file]", file)
        .action(action(check)),
    )
    .addCommand(
      command("show", "The configuration with every default, as JSON (sizes in bytes, times in milliseconds).", [
        "sallyport config show",
      ])
        .argument("[file]", file)
        .action(action(show)),
    )
    .addCommand(
      command("schema", "Print the JSON schema for editors.", ["sallyport config schema > schema.json"]).action(
        action(async () => {
          print(configJsonSchema());
          return done;
        }),
      ),
    );
}
