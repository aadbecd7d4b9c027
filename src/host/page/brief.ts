/** The brief of a delegation as a page shows it, with the scope that the policy left it. Pure. */
import type { Check } from "../../domain/brief.ts";
import type { Delegation } from "../../domain/delegation.ts";
import type { DelegationPage } from "../../domain/page.ts";
import { ruleWords } from "../../policy/rule-words.ts";
import { line, shown } from "./text.ts";

function checkWords(check: Check): string {
  if ("run" in check) return line(`run ${check.run}`, 2000);
  return line("absent" in check ? `absent ${check.absent} in ${check.in}` : `test ${check.test} passes`, 2000);
}

/** What was asked for, and within what. `policy` is already narrowed by the brief. */
export function briefOf({ brief, briefDigest, policy }: Delegation): DelegationPage["brief"] {
  const { visible, writable, protected: kept } = policy.filesystem;
  return {
    digest: briefDigest,
    intent: shown(brief.intent, 20_000),
    instructions: shown(brief.instructions, 60_000),
    criteria: brief.accept.map(({ id, must, checks }) => ({ id, must: shown(must), checks: checks.map(checkWords) })),
    scope: {
      writable: writable.map((path) => line(path, 1000)),
      visible: visible.map((path) => line(path, 1000)),
      protected: kept.map((path) => line(path, 1000)),
      network: policy.network.map((rule) => line(ruleWords(rule), 2000)),
      models: Object.keys(policy.models),
      secrets: Object.keys(policy.secrets),
      actions: Object.keys(policy.actions ?? {}),
    },
    breaks: brief.breaks.map((id) => line(id, 1000)),
  };
}
