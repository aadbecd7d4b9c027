/**
 * A lane's secrets at work: the value goes in under the rule that names it and nowhere else, and comes back to no one.
 * This is where invariant 4 is enforced.
 */
import { SallyportError } from "../domain/error.ts";
import { searchFor } from "../secrets/masker.ts";
import { scrubWith } from "./scrub.ts";
import type { LaneSecrets } from "./secret-lane.ts";
import { type Carried, placeOf, planBound, planRoute } from "./secret-request.ts";
import { findPlaceholder, scanBody } from "./secret-scan.ts";
import type { Vault } from "./secret-vault.ts";
import { identity, type MakeTransform, type OutgoingRequest, type Refusal } from "./transform.ts";

/** Makes lanes' transforms over what the vault knows. Throws where the vault holds nothing for a lane's holder. */
export function secretTransform(vault: Vault): MakeTransform {
  return (lane) => {
    const { secrets } = lane;
    if (!secrets) return identity;
    const { holder, bound } = secrets;
    for (const name of Object.keys(bound)) {
      if (!vault.holds(holder, name)) {
        throw new SallyportError("secret-unavailable", `no value is held for the secret ${name}`, {
          next: "The delegation holds its secrets before it opens a lane.",
        });
      }
    }
    const placeholders = searchFor(new Map(Object.entries(bound).map(([name, one]) => [name, [one.placeholder]])));
    return {
      active: true,
      async prepare(request) {
        const name = secretOf(lane, request);
        const secret = name === undefined ? undefined : bound[name];
        const carried: Carried = { headers: request.headers, target: request.target };
        const plan =
          secret === undefined
            ? undefined
            : "model" in request.by
              ? planRoute(carried, secret.binding)
              : planBound(carried, secret);
        const misplaced = findPlaceholder(placeholders, plan?.rest ?? carried);
        if (misplaced) return { refuse: unbound(secrets, name, misplaced.name, misplaced.where, request) };
        const scan = scanBody(placeholders, (found) => unbound(secrets, name, found, "the body", request));
        if (!plan?.used || name === undefined) return { ...carried, scan };
        try {
          return { ...plan.fill(await vault.value(holder, name)), secret: name, scan };
        } catch (error) {
          return { refuse: unavailable(name, error) };
        }
      },
      scrub: () => scrubWith(vault.search(holder)),
    };
  };
}

function secretOf(lane: Parameters<MakeTransform>[0], { by }: OutgoingRequest): string | undefined {
  return "model" in by ? lane.models[by.model]?.secret : lane.network[by.network]?.secret;
}

function unbound(
  { bound }: LaneSecrets,
  allowed: string | undefined,
  found: string,
  where: string,
  { canonical, by }: OutgoingRequest,
): Refusal {
  const binding = bound[found]?.binding;
  const place = binding ? placeOf(binding) : "";
  if (allowed === found) {
    return {
      code: "secret-unbound",
      why: `the placeholder of the secret ${found} is in ${where}, where its rule does not put it`,
      next: "model" in by ? "Leave it out: this route's key is put in by itself." : `Send it once, ${place}.`,
    };
  }
  return {
    code: "secret-unbound",
    why: `the placeholder of the secret ${found} is in ${where}, and the rule that allows this request does not bind it`,
    next: `Leave it out. To let it go there, the policy's author writes: network: - { host: ${canonical.host}, methods: [${canonical.method}], paths: [${JSON.stringify(canonical.path)}], secret: ${found} }`,
  };
}

function unavailable(name: string, error: unknown): Refusal {
  const known = error instanceof SallyportError ? error : undefined;
  return {
    code: "secret-unavailable",
    rule: `secrets.${name}`,
    // The reference is the operator's; a sandbox learns that it failed, not where it lies.
    why: `the secret ${name} cannot be had now${known ? "" : " (its source failed)"}`,
    next: "Try again later; the operator finds the reason with the delegation's next start.",
  };
}
