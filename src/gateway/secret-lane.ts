/** A lane's secrets as the daemon opens it: which may be used under which rule, and what stands for them inside. */
import { randomBytes } from "node:crypto";
import { shortName } from "../domain/identity.ts";
import { type ModelRoute, type NetworkRule, type SecretBinding, secretBinding } from "../domain/policy.ts";
import { isPlaceholder, placeholderFor } from "../secrets/placeholder.ts";

/** One secret of a lane. */
export interface BoundSecret {
  binding: SecretBinding;
  placeholder: string;
}

export interface LaneSecrets {
  /** Who holds the values: the delegation, which outlives its lanes. */
  holder: string;
  bound: Record<string, BoundSecret>;
}

/** The names of the secrets that a lane's rules and routes use. */
export function namedSecrets(network: readonly NetworkRule[], models: Readonly<Record<string, ModelRoute>>): string[] {
  const rules: readonly { secret?: string | undefined }[] = [...network, ...Object.values(models)];
  return [...new Set(rules.flatMap(({ secret }) => (secret === undefined ? [] : [secret])))];
}

/**
 * The lane's secrets with fresh placeholders, and the variables that its sandbox is given; undefined where the lane
 * uses none. Placeholders are not secret: they are worth nothing anywhere but in this lane.
 */
export function bindSecrets(
  holder: string,
  lane: { network: readonly NetworkRule[]; models: Readonly<Record<string, ModelRoute>> },
  secrets: Readonly<Record<string, SecretBinding>>,
): { secrets: LaneSecrets; environment: Record<string, string> } | undefined {
  const names = namedSecrets(lane.network, lane.models).filter((name) => Object.hasOwn(secrets, name));
  if (names.length === 0) return undefined;
  const bound: Record<string, BoundSecret> = {};
  const environment: Record<string, string> = {};
  for (const name of names) {
    const binding = secrets[name] as SecretBinding;
    const placeholder = placeholderFor(name, randomBytes(8));
    bound[name] = { binding, placeholder };
    // A route's secret is put in whatever the client sends: there is nothing to hold in its stead.
    if (binding.env !== undefined && lane.network.some(({ secret }) => secret === name)) {
      environment[binding.env] = placeholder;
    }
  }
  return { secrets: { holder, bound }, environment };
}

/** Why a lane's secrets are not valid, or undefined. */
export function checkLaneSecrets(
  secrets: unknown,
  lane: { network: readonly NetworkRule[]; models: Readonly<Record<string, ModelRoute>> },
): string | undefined {
  const named = namedSecrets(lane.network, lane.models);
  if (secrets === undefined)
    return named.length === 0 ? undefined : `the lane's rules name the secret ${named[0]}, which it has not`;
  const { holder, bound } = secrets as { holder?: unknown; bound?: unknown };
  if (typeof holder !== "string" || holder === "" || holder.length > 64)
    return "the lane's holder of secrets is not one";
  if (typeof bound !== "object" || bound === null) return "the lane's secrets are not valid";
  for (const [name, entry] of Object.entries(bound as Record<string, BoundSecret | undefined>)) {
    if (!shortName.safeParse(name).success || !secretBinding.safeParse(entry?.binding).success) {
      return "the lane's secrets are not valid";
    }
    if (!isPlaceholder(entry?.placeholder, name)) return `the placeholder of ${name} is not one`;
  }
  const missing = named.find((name) => !Object.hasOwn(bound, name));
  return missing === undefined ? undefined : `the lane's rules name the secret ${missing}, which it has not`;
}
