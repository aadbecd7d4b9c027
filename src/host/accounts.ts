/** The accounts that a sandbox's requests to models count on. */
import type { BudgetAccount } from "../domain/budget.ts";
import type { HostConfig } from "../domain/config.ts";
import type { RoleRun } from "../sandbox/role-run.ts";
import type { Store } from "./store.ts";

/** Gives a turn's accounts: its delegation's budget, and for an executor the operator's cap of the day. */
export function accountsFor(
  config: HostConfig,
  store: Pick<Store, "list" | "record">,
): (role: RoleRun, now: Date) => BudgetAccount[] {
  return (role, now) => {
    const record = store.list().find(({ id }) => id === role.delegation);
    if (!record) return [];
    const { tokens, usd } = record.policy.budget;
    const accounts: BudgetAccount[] = [
      { id: `delegation:${record.id}`, whose: "this delegation", rule: "budget", tokens, usd },
    ];
    const { executor } = record;
    const day = Object.hasOwn(config.budgets.executorDay, executor) ? config.budgets.executorDay[executor] : undefined;
    if (role.role === "executor" && day) {
      accounts.push({
        id: `executor-day:${executor}:${now.toISOString().slice(0, 10)}`,
        whose: `the executor ${executor} today`,
        rule: `budgets.executorDay.${executor}`,
        ...day,
      });
    }
    return accounts;
  };
}
