/** The operator's configuration file, `config.yaml` of the state directory. Without it nobody may name any repository. */
import { access } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type HostConfig, hostConfig, type PlannerRights } from "../domain/config.ts";
import { loadDocument } from "../policy/document.ts";
import type { StateDirectory } from "./state-directory.ts";

/** Loads and checks it. Errors: `config-invalid` with line and column. */
export async function loadConfig(state: StateDirectory): Promise<HostConfig> {
  try {
    await access(state.config);
  } catch {
    return hostConfig.parse({ version: 1 });
  }
  return readConfig(state.config);
}

/** A configuration file, which must be there. Errors: `config-invalid` with line and column. */
export function readConfig(file: string): Promise<HostConfig> {
  return loadDocument(file, hostConfig, "config-invalid");
}

/** What a planner may do; one that is not listed may do nothing. */
export function rightsOf(config: HostConfig, planner: string): PlannerRights {
  return Object.hasOwn(config.planners, planner)
    ? (config.planners[planner] as PlannerRights)
    : { repositories: [], refs: [] };
}

/** Where policies are looked for: the operator's own first, the shipped ones last. */
export function policyDirectories(config: HostConfig, state: StateDirectory): string[] {
  return [...config.policies, state.policies, shippedPolicies];
}

/** The folders that come with the project. */
export const shippedPolicies = join(import.meta.dirname, "../../policies");
/** The cases that the gate is calibrated with. */
export const shippedCanaries = join(shippedPolicies, "canaries");
/** The harness folders: the project's own, or the ones that the operator names with `SALLYPORT_IMAGES`. */
export const shippedImages = resolve(process.env.SALLYPORT_IMAGES || join(import.meta.dirname, "../../images"));
/** Where package installs and bootstraps are kept between image builds: in a checkout, or, of an installed package, `/var/cache`. */
export const imageCache = resolve(
  process.env.SALLYPORT_CACHE ||
    (import.meta.url.endsWith(".ts")
      ? join(import.meta.dirname, "../../.cache/images")
      : "/var/cache/sallyport/images"),
);
