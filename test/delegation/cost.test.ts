import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Amounts, costReport } from "../../src/delegation/cost.ts";
import { type Asked, lived, type Tried } from "./lived.ts";

describe("a cost report", () => {
  test("by tier, with what rejected attempts cost and what a subscription saved", async () => {
    const record = await lived({
      tries: [
        {
          end: "rejected",
          milliseconds: 3000,
          asked: [
            { tokens: 10, microusd: 0, list: 70 },
            { role: "verifier", tokens: 4, microusd: 9 },
          ],
          denied: [{ url: "http://x/", times: 2 }],
        },
        { end: "approved", milliseconds: 2000, asked: [{ tokens: 20, microusd: 0, list: 140 }] },
      ],
    });
    const { tiers, total } = costReport([record]);
    expect(tiers.map(({ tier }) => tier)).toEqual(["plan", "execute", "test", "verify"]);
    expect(tiers[1]).toMatchObject({
      requests: 2,
      modelRequests: 2,
      tokens: 30,
      microusd: 0,
      list: 210,
      saved: 210,
      milliseconds: 5000,
      rejected: { tokens: 10, list: 70, milliseconds: 3000, requests: 2 },
    });
    expect(tiers[3]).toMatchObject({ microusd: 9, saved: 0, rejected: { microusd: 9 } });
    expect(total).toMatchObject({ tokens: 34, microusd: 9, list: 219, saved: 210, rejected: { tokens: 14, list: 79 } });
  });

  test("an open reservation counts as spent, and says that it is not exact", async () => {
    const record = await lived({ tries: [{ end: "stuck", asked: [{ tokens: 5, microusd: 8, open: true }] }] });
    expect(costReport([record]).total).toMatchObject({ tokens: 10, microusd: 16, inexact: 1, modelRequests: 1 });
  });

  test("totals are exactly the sums of their parts, whatever was spent", async () => {
    const amount = fc.nat(2 ** 40);
    const asked: fc.Arbitrary<Asked> = fc.record({
      role: fc.constantFrom("executor" as const, "verifier" as const),
      tokens: amount,
      microusd: amount,
      list: amount,
      open: fc.boolean(),
    });
    const tried: fc.Arbitrary<Tried> = fc.record({
      end: fc.constantFrom("rejected" as const, "failed" as const),
      asked: fc.array(asked, { maxLength: 4 }),
      milliseconds: fc.nat(10 ** 7),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(tried, { maxLength: 3 }), { maxLength: 3 }), async (lives) => {
        const records = await Promise.all(lives.map((tries) => lived({ tries })));
        const { tiers, total } = costReport(records);
        for (const key of Object.keys(total).filter((k) => k !== "rejected") as (keyof Amounts)[]) {
          expect(tiers.reduce((sum, tier) => sum + tier[key], 0)).toBe(total[key]);
          expect(tiers.reduce((sum, tier) => sum + tier.rejected[key], 0)).toBe(total.rejected[key]);
          expect(records.reduce((sum, record) => sum + costReport([record]).total[key], 0)).toBe(total[key]);
        }
        const known = lives.flat().flatMap((life) => life.asked ?? []);
        expect(total.microusd).toBe(known.reduce((sum, one) => sum + one.microusd * (one.open ? 2 : 1), 0));
        expect(total.list - total.microusd).toBe(total.saved);
      }),
      { numRuns: 60 },
    );
  });
});
