/** The model route that a harness is given: the policy's, with the protocol that the harness speaks on it. */
import { SallyportError } from "../domain/error.ts";
import type { HarnessFile } from "../domain/harness.ts";
import { knownProtocols } from "../domain/model.ts";
import type { Policy } from "../domain/policy.ts";

/** The routes of a harness's lane: its own and no other. Throws `policy-invalid` where the route speaks another protocol. */
export function harnessRoutes(policy: Policy, harness: HarnessFile): Policy["models"] {
  const { model } = harness;
  const route = model && Object.hasOwn(policy.models, model.route) ? policy.models[model.route] : undefined;
  if (!model || !route) return {};
  const spoken = route.protocol === undefined ? knownProtocols(route.base) : [route.protocol];
  if (spoken && !spoken.includes(model.protocol)) {
    const found = `${harness.name} speaks ${model.protocol}, and models.${model.route} of policy ${policy.name} speaks ${spoken.join(" or ")}`;
    throw new SallyportError("policy-invalid", found, {
      next: "Name another executor, or a route with a base that speaks its protocol.",
    });
  }
  return { [model.route]: { ...route, protocol: model.protocol } };
}
