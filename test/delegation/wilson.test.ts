import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { wilson } from "../../src/delegation/wilson.ts";

describe("the Wilson score interval", () => {
  // Newcombe 1998, "Two-sided confidence intervals for the single proportion", Statist. Med. 17, 857–872, table I, method 3.
  test.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])("of %i in %i is as published", (count, of, low, high) => {
    const rate = wilson(count, of);
    expect(rate.low).toBeCloseTo(low, 4);
    expect(rate.high).toBeCloseTo(high, 4);
  });

  test("of nothing says nothing; at the ends it does not leave 0 and 1", () => {
    expect(wilson(0, 0)).toEqual({ count: 0, of: 0, rate: undefined, low: 0, high: 1 });
    expect([wilson(0, 7).low, wilson(7, 7).high]).toEqual([0, 1]);
  });

  test("holds the rate, narrows with tries, and is its own mirror", () => {
    fc.assert(
      fc.property(fc.nat(500), fc.nat(500), (a, b) => {
        const of = a + b + 1;
        const { rate = Number.NaN, low, high } = wilson(a, of);
        expect(low).toBeLessThanOrEqual(rate + 1e-12);
        expect(high).toBeGreaterThanOrEqual(rate - 1e-12);
        const wide = high - low;
        const more = wilson(a * 10, of * 10);
        expect(more.high - more.low).toBeLessThan(wide);
        expect(wilson(of - a, of).low).toBeCloseTo(1 - high, 10);
      }),
    );
  });
});
