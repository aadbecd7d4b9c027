/**
 * A brief takes away from the operator's policy and never adds to it. Each line of it must be provably within the
 * policy; a line that only might be is refused.
 */

import type { Brief } from "../domain/brief.ts";
import { SallyportError } from "../domain/error.ts";
import type { Budget, NetworkRule, Policy } from "../domain/policy.ts";
import { patternCovered, ruleCovered } from "./cover.ts";
import { whereIn } from "./document.ts";
import { type KeyPath, showPath } from "./issues.ts";
import { patternProblems, ruleProblems } from "./rules.ts";
import { showRule } from "./suggest.ts";

/**
 * The policy that a brief runs under. What the brief leaves out is the policy's; an empty list is nothing.
 * Throws `policy-widened` where the brief asks for more, `brief-invalid` where a line of it is broken.
 */
export function narrowPolicy(policy: Policy, brief: Brief): Policy {
  checkBrief(brief);
  const { visible, writable, network, models } = brief;
  patternsWithin(policy, brief, "visible", policy.filesystem.visible);
  patternsWithin(policy, brief, "writable", policy.filesystem.writable);
  network?.forEach((rule, index) => {
    if (policy.network.some((parent) => ruleCovered(rule, parent))) return;
    const near = policy.network.filter((parent) => parent.host === rule.host);
    throw widened(
      policy,
      brief,
      ["network", index],
      showRule(rule),
      (near.length > 0 ? near : policy.network).map(showRule),
    );
  });
  models?.forEach((name, index) => {
    if (!Object.hasOwn(policy.models, name))
      throw widened(policy, brief, ["models", index], name, Object.keys(policy.models));
  });
  const budget: Budget = { ...policy.budget };
  for (const key of Object.keys(policy.budget) as (keyof Budget)[]) {
    const asked = brief.budget?.[key];
    if (asked === undefined) continue;
    if (!(asked <= policy.budget[key]))
      throw widened(policy, brief, ["budget", key], String(asked), [`at most ${policy.budget[key]}`]);
    budget[key] = asked;
  }
  return {
    ...policy,
    filesystem: {
      ...policy.filesystem,
      visible: visible ?? policy.filesystem.visible,
      writable: writable ?? policy.filesystem.writable,
    },
    network: network ?? policy.network,
    models: models
      ? Object.fromEntries(models.map((name) => [name, policy.models[name] as Policy["models"][string]]))
      : policy.models,
    budget,
  };
}

function patternsWithin(policy: Policy, brief: Brief, key: "visible" | "writable", allowed: readonly string[]): void {
  brief[key]?.forEach((pattern, index) => {
    if (!patternCovered(pattern, allowed)) throw widened(policy, brief, [key, index], JSON.stringify(pattern), allowed);
  });
}

/** Lines that are broken rather than too wide: a pattern or rule outside of the language, also in the brief's checks. */
function checkBrief(brief: Brief): void {
  const network: readonly NetworkRule[] = brief.network ?? [];
  const problems = [
    ...patternProblems(brief.visible ?? [], ["visible"]),
    ...patternProblems(brief.writable ?? [], ["writable"]),
    ...network.flatMap((rule, index) => ruleProblems(rule, ["network", index])),
    ...brief.accept.flatMap((criterion, index) =>
      criterion.checks.flatMap((check, n) =>
        "in" in check
          ? patternProblems([check.in], ["accept", index, "checks", n, "in"]).map((p) => ({
              ...p,
              path: p.path.slice(0, -1),
            }))
          : [],
      ),
    ),
  ];
  const [first] = problems;
  if (!first) return;
  const at = whereIn(brief, first.path);
  throw new SallyportError("brief-invalid", `${at ?? showPath(first.path)} ${first.message}`, {
    next: "Correct this line of the brief.",
    ...(at ? { at } : {}),
  });
}

function widened(
  policy: Policy,
  brief: Brief,
  path: KeyPath,
  asked: string,
  allowed: readonly string[],
): SallyportError {
  const at = whereIn(brief, path);
  const ceiling = allowed.length > 0 ? allowed.join(", ") : "nothing";
  return new SallyportError(
    "policy-widened",
    `${at ? `${at} ` : ""}${showPath(path)}: ${asked} is not provably within what the policy ${policy.name} allows: ${ceiling}`,
    {
      next: "Narrow this line of the brief, or leave it out to have the policy's; only the operator can widen a policy.",
      ...(at ? { at } : {}),
    },
  );
}
