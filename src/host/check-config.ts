/** What the schema of the configuration cannot see: whether what it names is there, and says anything. */
import { stat } from "node:fs/promises";
import type { HostConfig } from "../domain/config.ts";
import { whereIn } from "../policy/document.ts";

export interface ConfigWarning {
  /** `file:line:column`; empty where nothing was written. */
  at: string;
  message: string;
}

/** What a valid configuration has that will surprise: it is told, and refuses nothing. */
export async function configWarnings(config: HostConfig): Promise<ConfigWarning[]> {
  const warnings: ConfigWarning[] = [];
  const warn = (path: (string | number)[], message: string) =>
    warnings.push({ at: whereIn(config, path) ?? "", message });
  const directories: [(string | number)[], readonly string[]][] = [
    [["policies"], config.policies],
    [["calibration", "canaries"], config.calibration.canaries],
  ];
  for (const [path, named] of directories) {
    for (const [index, directory] of named.entries()) {
      const found = await stat(directory).catch(() => undefined);
      if (!found?.isDirectory()) warn([...path, index], `${directory} is not a directory`);
    }
  }
  if (!Object.values(config.planners).some(({ repositories, refs }) => repositories.length > 0 && refs.length > 0))
    warn(["planners"], "no planner may name any repository: everything will be refused");
  for (const [name, { repositories, refs }] of Object.entries(config.planners)) {
    if (repositories.length > 0 !== refs.length > 0)
      warn(
        ["planners", name],
        `${name} may name ${refs.length > 0 ? "branches and no repository" : "repositories and no branch"}`,
      );
  }
  if (config.calibration.rate === 0) warn(["calibration", "rate"], "no canary is drawn: the gate is not measured");
  return warnings;
}
