import fc from "fast-check";
import { expect, test } from "vitest";
import { withReservation, withSettlement } from "../../src/delegation/spend.ts";
import type { Delegation } from "../../src/domain/delegation.ts";
import type { EventData } from "../../src/domain/event.ts";

const sandbox = `s-${"a".repeat(16)}`;
const reserved = (
  number: number,
  change: Partial<EventData<"budget.reserved">> = {},
): EventData<"budget.reserved"> => ({
  sandbox,
  role: "executor",
  attempt: 1,
  reservation: `r-${number}`,
  route: "m",
  model: "m",
  accounts: [],
  tokens: 100,
  microusd: 10,
  list: 10,
  ...change,
});
const settled = (number: number, change: Partial<EventData<"budget.settled">> = {}): EventData<"budget.settled"> => ({
  sandbox,
  role: "executor",
  attempt: 1,
  reservation: `r-${number}`,
  model: "m",
  tokens: 60,
  microusd: 0,
  list: 6,
  exact: true,
  ...change,
});
type Step = { reserve: EventData<"budget.reserved"> } | { settle: EventData<"budget.settled"> };
const fold = (steps: readonly Step[]): Delegation =>
  steps.reduce<Delegation>(
    (record, one) =>
      Object.assign(
        record,
        "reserve" in one ? withReservation(record, one.reserve) : withSettlement(record, one.settle),
      ),
    { spend: {}, reservations: {} } as Delegation,
  );

test("spend is told by role and attempt, with what is open and what is not exact", () => {
  const record = fold([
    { reserve: reserved(1) },
    { reserve: reserved(2, { attempt: 2 }) },
    { reserve: reserved(3, { role: "verifier", attempt: 2 }) },
    { settle: settled(1) },
    { settle: settled(2, { tokens: 100, exact: false }) },
    { reserve: reserved(4, { attempt: 2 }) },
  ]);
  expect(record.spend.executor).toMatchObject({ requests: 2, tokens: 160, microusd: 0, list: 12, inexact: 1 });
  expect(record.spend.verifier).toBeUndefined();
  expect(
    Object.values(record.reservations)
      .map(({ role, tokens }) => [role, tokens])
      .sort(),
  ).toEqual([
    ["executor", 100],
    ["verifier", 100],
  ]);
  expect(record.spend.executor?.attempts).toMatchObject({ 1: { tokens: 60 }, 2: { tokens: 100, inexact: 1 } });
});

test("a settlement counts once, by the role that reserved, and one of nothing counts nothing", () => {
  const once = fold([{ reserve: reserved(1) }, { settle: settled(1, { role: "verifier", attempt: 9 }) }]);
  expect([once.spend.executor?.requests, once.spend.verifier]).toEqual([1, undefined]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(5)), { maxLength: 30 }), (order) => {
      const record = fold(
        order.map(([reserve, number]) => (reserve ? { reserve: reserved(number) } : { settle: settled(number) })),
      );
      let open = new Set<number>();
      let done = 0;
      for (const [reserve, number] of order) {
        if (reserve) open = open.add(number);
        else if (open.delete(number)) done += 1;
      }
      expect([record.spend.executor?.requests ?? 0, Object.keys(record.reservations).length]).toEqual([
        done,
        open.size,
      ]);
    }),
  );
});
