/**
 * What is spent on each account, folded from the events of reservations. What was reserved and never settled stands as
 * spent: after a crash nobody knows better.
 */
import type { EventData } from "../domain/event.ts";

export interface Balance {
  /** Settled, or left open by a process that is gone. */
  tokens: number;
  microusd: number;
  /** Reserved and not yet settled by this process. */
  openTokens: number;
  openMicrousd: number;
  /** When requests were made, as milliseconds since 1970, the oldest first: for quotas. */
  times: number[];
}

type Reservation = Pick<EventData<"budget.reserved">, "reservation" | "accounts" | "tokens" | "microusd">;
type Settlement = Pick<EventData<"budget.settled">, "reservation" | "tokens" | "microusd">;

export interface Balances {
  of(account: string): Balance;
  reserve(reservation: Reservation, time: number): void;
  /** Changes nothing for a reservation that is not open. */
  settle(settlement: Settlement): void;
  /** What is open now was left by a process that is gone: it is spent. */
  close(): void;
}

/** How long the time of a request is kept: no quota's window is longer. */
export const longestWindow = 31 * 24 * 3_600_000;

export function createBalances(): Balances {
  const balances = new Map<string, Balance>();
  const open = new Map<string, Reservation>();
  const of = (account: string): Balance => {
    let found = balances.get(account);
    if (!found) {
      found = { tokens: 0, microusd: 0, openTokens: 0, openMicrousd: 0, times: [] };
      balances.set(account, found);
    }
    return found;
  };
  return {
    of,
    reserve(reservation, time) {
      open.set(reservation.reservation, reservation);
      for (const account of reservation.accounts) {
        const balance = of(account);
        balance.openTokens += reservation.tokens;
        balance.openMicrousd += reservation.microusd;
        if (!account.startsWith("quota:")) continue;
        while ((balance.times[0] ?? time) < time - longestWindow) balance.times.shift();
        balance.times.push(time);
      }
    },
    settle({ reservation, tokens, microusd }) {
      const found = open.get(reservation);
      if (!found) return;
      open.delete(reservation);
      for (const account of found.accounts) {
        const balance = of(account);
        balance.openTokens -= found.tokens;
        balance.openMicrousd -= found.microusd;
        balance.tokens += tokens;
        balance.microusd += microusd;
      }
    },
    close() {
      for (const { reservation, tokens, microusd } of [...open.values()])
        this.settle({ reservation, tokens, microusd });
    },
  };
}
