/** The accounts that a sandbox's requests to models count on. */
import type { BudgetAccount } from "../domain/budget.ts";
import type { HostConfig } from "../domain/config.ts";
import type { Delegation } from "../domain/delegation.ts";
import type { RoleRun } from "../sandbox/role-run.ts";
import type { Store } from "./store.ts";

/**
 * Gives a turn's accounts: its delegation's budget, its plan's where `planAccount` names one, and for an executor the operator's cap of the day (UTC). A turn that
 * belongs to no delegation (a planner's) has those that its lane names, and no others.
 */
export function accountsFor(
  config: Pick<HostConfig, "budgets">,
  store: Pick<Store, "record">,
  planAccount: (delegation: string) => BudgetAccount | undefined = () => undefined,
): (role: Pick<RoleRun, "role" | "delegation">, now: Date) => BudgetAccount[] {
  return (role, now) => {
    const record = find(store, role.delegation);
    if (!record) return [];
    const { tokens, usd } = record.policy.budget;
    const accounts: BudgetAccount[] = [
      { id: `delegation:${record.id}`, whose: "this delegation", rule: "budget", tokens, usd },
    ];
    const { verifier } = record.policy;
    if (role.role === "verifier" && (verifier.tokens !== undefined || verifier.usd !== undefined)) {
      const { tokens: most, usd: money } = verifier;
      accounts.push({ id: `verifier:${record.id}`, whose: "its verifier", rule: "verifier", tokens: most, usd: money });
    }
    const plan = planAccount(record.id);
    if (plan) accounts.push(plan);
    const { executor } = record;
    const { executorDay } = config.budgets;
    if (role.role === "executor" && Object.hasOwn(executorDay, executor)) {
      accounts.push({
        id: `executor-day:${executor}:${now.toISOString().slice(0, 10)}`,
        whose: `the executor ${executor} today`,
        rule: `budgets.executorDay.${executor}`,
        ...executorDay[executor],
      });
    }
    return accounts;
  };
}

/** The account of the plan that a delegation is of, where the plan caps tokens or money. */
export function planAccount(store: Pick<Store, "record" | "plan">): (delegation: string) => BudgetAccount | undefined {
  return (delegation) => {
    const id = store.record(delegation).plan?.id;
    if (id === undefined) return undefined;
    const { tokens, usd } = store.plan(id).plan.budget ?? {};
    if (tokens === undefined && usd === undefined) return undefined;
    return { id: `plan:${id}`, whose: "this plan", rule: "budget of the plan", tokens, usd };
  };
}

function find(store: Pick<Store, "record">, id: string): Delegation | undefined {
  try {
    return store.record(id);
  } catch {
    return undefined;
  }
}
