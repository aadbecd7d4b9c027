/** Finds a policy by its file, or by the name that a brief uses. */
import { loadConfig, policyDirectories } from "../host/config.ts";
import type { StateDirectory } from "../host/state-directory.ts";
import { findPolicy, type LoadedPolicy, loadPolicyFile } from "../policy/load.ts";

/** Loads it with what it extends. Throws `policy-invalid` with line and column, or `not-found`. */
export async function openPolicy(state: StateDirectory, which: string): Promise<LoadedPolicy> {
  const directories = policyDirectories(await loadConfig(state), state);
  const path = which.includes("/") || which.endsWith(".yaml") ? which : await findPolicy(which, directories);
  return loadPolicyFile(path, directories);
}
