/** How much room is left on accounts: pure questions about balances. */
import type { BudgetAccount } from "../domain/budget.ts";
import type { ModelRoute } from "../domain/policy.ts";
import { type ModelPrice, outputWithin, worstCost } from "../domain/price.ts";
import type { Balances } from "./balances.ts";
import type { OverBudget } from "./budget-words.ts";

/** How much output is within every account, and the account that has least. `open` reservations count, or they do not. */
export function fitting(
  balances: Balances,
  accounts: readonly BudgetAccount[],
  input: number,
  price: ModelPrice | undefined,
  open: boolean,
): OverBudget {
  let found: OverBudget = { output: Number.POSITIVE_INFINITY };
  for (const account of accounts) {
    const balance = balances.of(account.id);
    const less = (output: number, unit: "tokens" | "usd", left: number, cap: number) => {
      if (output < found.output) found = { output, account, unit, left: Math.max(0, left), cap };
    };
    if (account.tokens !== undefined) {
      const left = account.tokens - balance.tokens - (open ? balance.openTokens : 0);
      less(left - input, "tokens", left, account.tokens);
    }
    if (account.usd !== undefined && price) {
      const left = account.usd - balance.microusd - (open ? balance.openMicrousd : 0);
      less(left < 0 ? -1 : outputWithin(price, input, left), "usd", left, account.usd);
    }
  }
  return found;
}

/** The largest share of any cap that is spent or bound once a request is reserved, in percent. */
export function shareOf(
  balances: Balances,
  accounts: readonly BudgetAccount[],
  input: number,
  price: ModelPrice | undefined,
  output: number,
): number {
  let share = 0;
  for (const { id, tokens, usd } of accounts) {
    const balance = balances.of(id);
    if (tokens) share = Math.max(share, (100 * (balance.tokens + balance.openTokens + input + output)) / tokens);
    if (usd && price) {
      const cost = worstCost(price, input, output);
      share = Math.max(share, (100 * (balance.microusd + balance.openMicrousd + cost)) / usd);
    }
  }
  return share;
}

/** The account of a subscription: of one key at one provider, whichever policy names it. */
export function quotaAccount(route: ModelRoute): string {
  return `quota:${URL.parse(route.base)?.host ?? route.base}:${route.secret ?? ""}`;
}

/** When a subscription's window that is used up has room again, in seconds; undefined where it has. */
export function quotaWait(balances: Balances, route: ModelRoute, now: number): number | undefined {
  const { times } = balances.of(quotaAccount(route));
  for (const { requests, window } of route.quota ?? []) {
    const within = times.filter((time) => time > now - window);
    if (within.length < requests) continue;
    const free = requests === 0 ? window : (within.at(-requests) ?? now) + window - now;
    return Math.max(1, Math.ceil(free / 1000));
  }
  return undefined;
}
