/** The `env:` sources: handed over with the keeper's start, and then no longer in this process's environment. */
import type { Policy } from "../domain/policy.ts";
import { listPolicies, loadPolicy } from "../policy/load.ts";

/**
 * Takes the variables that policies name as sources out of this process, so that nothing it starts inherits one. The
 * keeper has them; what the kernel shows of this process's start is root's to read. A policy that does not load names none.
 */
export async function forgetSources(directories: readonly string[]): Promise<void> {
  for (const name of await listPolicies(directories)) {
    const policy = await loadPolicy(name, directories).catch(() => undefined);
    if (policy) forgetSourcesOf(policy);
  }
}

/** The same for one policy, which may have come after the start. */
export function forgetSourcesOf(policy: Policy): void {
  const ofActions = Object.values(policy.actions ?? {}).flatMap(({ secrets = {} }) => Object.values(secrets));
  for (const { from } of [...Object.values(policy.secrets), ...ofActions])
    if (from.startsWith("env:")) delete process.env[from.slice(4)];
}
