/**
 * Who did the work does not judge it, nor does its kin where the policy asks for that (ATTACKS V8). Asked at admission, and
 * again before the verifier's turn: by then the host has chosen the executor, and it is known which model it asked. Pure.
 */
import { SallyportError } from "../domain/error.ts";
import type { HarnessFile } from "../domain/harness.ts";
import { modelFamily } from "../domain/model-family.ts";
import type { Policy } from "../domain/policy.ts";

/** One side: its harness, its image, and the model that it asked or will ask. */
export interface Party {
  name: string;
  /** `sha256:…`; left out where it is not known yet. */
  image?: string | undefined;
  model?: string | undefined;
}

/** A harness as a party. `asked` is the model that was really asked, where one was. */
export function partyOf(harness: HarnessFile, image?: string, asked?: string): Party {
  return { name: harness.name, image, model: asked ?? harness.model?.name };
}

/** Throws `verifier-not-independent` where a verifier is not independent of an executor as the policy asks. */
export function requireIndependence(
  rule: Policy["verifier"],
  verifiers: readonly Party[],
  executors: readonly Party[],
): void {
  for (const verifier of verifiers) {
    for (const executor of executors) checkPair(rule, verifier, executor);
  }
}

function checkPair(rule: Policy["verifier"], verifier: Party, executor: Party): void {
  const other = "Name another executor in the brief, or another verifier in the policy.";
  if (executor.name === verifier.name) throw refused(`${executor.name} would verify its own work`, other);
  const { independent, families } = rule;
  if (independent === undefined) return;
  if (executor.image !== undefined && executor.image === verifier.image) {
    throw refused(`${verifier.name} is the same image as ${executor.name}, which did the work`, other);
  }
  // Rules without a model share none.
  if (independent !== "model" || executor.model === undefined || verifier.model === undefined) return;
  const kin = [executor, verifier].map(({ name, model = "" }) => {
    const family = modelFamily(model, families);
    if (family !== undefined) return family;
    throw refused(
      `nobody knows the family of the model ${model} of ${name}, and the policy asks for another one than the executor's`,
      `Say it in the policy: verifier: { families: { ${JSON.stringify(model)}: NAME } }.`,
    );
  });
  if (kin[0] !== kin[1]) return;
  throw refused(
    `${verifier.name} asks ${verifier.model} and ${executor.name} asked ${executor.model}: both are of ${kin[0]}`,
    `Let a verifier with a model of another family judge: verifier: { harness: … } in the policy; or one without a model, such as skeptic-rules.`,
  );
}

function refused(found: string, next: string): SallyportError {
  return new SallyportError("verifier-not-independent", found, { next });
}
