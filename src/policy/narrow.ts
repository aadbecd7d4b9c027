/**
 * A brief takes away from the operator's policy and never adds to it. Each line of it must be provably within the
 * policy; a line that only might be is refused.
 */

import type { Brief } from "../domain/brief.ts";
import { SallyportError } from "../domain/error.ts";
import { approvalLifetime, type Budget, type NetworkRule, type Policy } from "../domain/policy.ts";
import { showDuration } from "../domain/units.ts";
import { patternCovered, ruleCovered } from "./cover.ts";
import { whereIn } from "./document.ts";
import { type KeyPath, showPath } from "./issues.ts";
import { meteringProblems } from "./prices.ts";
import { patternProblems, ruleProblems } from "./rules.ts";
import { secretReferences } from "./secret-reference.ts";
import { boundSecrets } from "./secret-use.ts";
import { showRule } from "./show-rule.ts";

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
  brief.secrets?.forEach((name, index) => {
    if (!Object.hasOwn(policy.secrets, name))
      throw widened(policy, brief, ["secrets", index], name, Object.keys(policy.secrets));
  });
  const budget: Budget = { ...policy.budget };
  for (const [key, asked] of Object.entries(brief.budget ?? {}) as [keyof Budget, number | undefined][]) {
    if (asked === undefined) continue;
    // What the policy does not cap, a brief may.
    const ceiling = policy.budget[key] ?? Number.POSITIVE_INFINITY;
    if (!(asked <= ceiling)) throw widened(policy, brief, ["budget", key], String(asked), [`at most ${ceiling}`]);
    budget[key] = asked;
  }
  const stuck = narrowStuck(policy, brief);
  const landing = narrowLanding(policy, brief);
  const rules = network ?? policy.network;
  const routes = models
    ? Object.fromEntries(models.map((name) => [name, policy.models[name] as Policy["models"][string]]))
    : policy.models;
  const reduced = withoutSecrets(rules, routes, brief.secrets);
  const narrowed = {
    ...policy,
    filesystem: {
      ...policy.filesystem,
      visible: visible ?? policy.filesystem.visible,
      writable: writable ?? policy.filesystem.writable,
    },
    ...reduced,
    secrets: boundSecrets(policy.secrets, reduced),
    budget,
    ...(stuck ? { stuck } : {}),
    ...(landing ? { landing } : {}),
    ...narrowActions(policy, brief),
  };
  checkReferences(narrowed, brief);
  checkMetering(narrowed, brief);
  return narrowed;
}

/** A brief may have its executor ended sooner, never later: 0 watches for nothing, and is the widest. */
function narrowStuck(policy: Policy, brief: Brief): Policy["stuck"] {
  const stuck = { ...policy.stuck };
  for (const [key, asked] of Object.entries(brief.stuck ?? {}) as [keyof typeof stuck, number | undefined][]) {
    if (asked === undefined) continue;
    const most = policy.stuck?.[key] ?? 0;
    if (most > 0 && (asked === 0 || asked > most))
      throw widened(policy, brief, ["stuck", key], String(asked), [`from 1 to ${most}`]);
    stuck[key] = asked;
  }
  return Object.keys(stuck).length > 0 ? stuck : undefined;
}

/** A brief may leave actions out, and that is all that it may do about them. */
function narrowActions(policy: Policy, brief: Brief): Pick<Policy, "actions"> {
  if (brief.actions === undefined) return {};
  const own = policy.actions ?? {};
  const kept = brief.actions.map((name, index) => {
    const action = Object.hasOwn(own, name) ? own[name] : undefined;
    if (!action) throw widened(policy, brief, ["actions", index], name, Object.keys(own));
    return [name, action] as const;
  });
  return { actions: Object.fromEntries(kept) };
}

/** A brief may have its approvals end sooner, never later. */
function narrowLanding(policy: Policy, brief: Brief): Policy["landing"] {
  const asked = brief.landing?.expires;
  if (asked === undefined) return policy.landing;
  const most = policy.landing?.expires ?? approvalLifetime;
  if (asked > most)
    throw widened(policy, brief, ["landing", "expires"], showDuration(asked), [`at most ${showDuration(most)}`]);
  return { ...policy.landing, expires: asked };
}

/** Rules without a secret that the brief leaves out; a model route that needs it goes, since without it nothing answers. */
function withoutSecrets(
  network: Policy["network"],
  models: Policy["models"],
  kept: readonly string[] | undefined,
): Pick<Policy, "network" | "models"> {
  if (kept === undefined) return { network, models };
  const gone = (secret: string | undefined) => secret !== undefined && !kept.includes(secret);
  return {
    network: network.map((rule) => {
      const { secret, ...rest } = rule;
      return gone(secret) ? rest : rule;
    }),
    models: Object.fromEntries(Object.entries(models).filter(([, route]) => !gone(route.secret))),
  };
}

/** A brief that caps tokens or money where the policy does not: it must be possible to count them. */
function checkMetering(policy: Policy, brief: Brief): void {
  const [problem] = brief.budget ? meteringProblems(policy.models, policy.budget) : [];
  if (!problem) return;
  const at = whereIn(brief, ["budget"]);
  throw new SallyportError("brief-invalid", `${at ?? "budget"}: ${problem.message}`, {
    next: "Leave this budget out, or ask the policy's author for what the message names.",
    ...(at ? { at } : {}),
  });
}

/** `secret://name` in a brief's text stands for a placeholder: a name that this work does not hold stands for nothing. */
function checkReferences(policy: Policy, brief: Brief): void {
  for (const { path, name } of secretReferences(brief)) {
    if (name === undefined) {
      const at = whereIn(brief, path);
      throw new SallyportError("brief-invalid", `${at ?? showPath(path)} holds \`secret://\` without a secret's name`, {
        next: "Write secret://name, with a name of the policy's `secrets`.",
        ...(at ? { at } : {}),
      });
    }
    if (!Object.hasOwn(policy.secrets, name))
      throw widened(policy, brief, path, `secret://${name}`, Object.keys(policy.secrets));
  }
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
