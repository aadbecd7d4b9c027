/** What a delegation's models cost, folded from its events by role and attempt. Pure. */
import type { Delegation, RoleSpend, SpendTotals } from "../domain/delegation.ts";
import type { EventData } from "../domain/event.ts";

/** A delegation, or a mission for what its planner asked. */
type Spent = Pick<Delegation, "spend" | "reservations">;

const none: SpendTotals = { requests: 0, tokens: 0, microusd: 0, list: 0, inexact: 0 };

/** A record after a reservation: what is open counts as spent until it is settled. */
export function withReservation(record: Spent, data: EventData<"budget.reserved">): Pick<Spent, "reservations"> {
  const { reservation, sandbox, role, attempt, tokens, microusd, list } = data;
  return {
    reservations: { ...record.reservations, [reservation]: { sandbox, role, attempt, tokens, microusd, list } },
  };
}

/** A record after a settlement. One of a reservation that is not open changes nothing: nothing is paid twice. */
export function withSettlement(record: Spent, data: EventData<"budget.settled">): Partial<Spent> {
  const { [data.reservation]: open, ...reservations } = record.reservations;
  if (!open) return {};
  const { role, attempt } = open;
  const before: RoleSpend = record.spend[role] ?? { ...none, attempts: {} };
  const after: RoleSpend = {
    ...added(before, data),
    attempts: { ...before.attempts, [attempt]: added(before.attempts[attempt] ?? none, data) },
  };
  return { reservations, spend: { ...record.spend, [role]: after } };
}

function added(totals: SpendTotals, { tokens, microusd, list, exact }: EventData<"budget.settled">): SpendTotals {
  return {
    requests: totals.requests + 1,
    tokens: totals.tokens + tokens,
    microusd: totals.microusd + microusd,
    list: totals.list + list,
    inexact: totals.inexact + (exact ? 0 : 1),
  };
}
