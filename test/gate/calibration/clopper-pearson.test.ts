import { describe, expect, it } from "vitest";
import { lowerBound, upperBound } from "../../../src/gate/calibration/clopper-pearson.ts";

describe("exact one-sided 95 % bounds", () => {
  // From the beta quantiles: qbeta(0.95, k + 1, n - k) and qbeta(0.05, k, n - k + 1).
  it.each([
    [0, 1, 0.95, 0],
    [0, 59, 0.04951, 0],
    [0, 300, 0.009936, 0],
    [1, 10, 0.39416, 0.005116],
    [2, 20, 0.28262, 0.018065],
    [5, 100, 0.10225, 0.01991],
    [10, 10, 1, 0.741134],
  ])("%i of %i", (count, of, high, low) => {
    expect(upperBound(count, of)).toBeCloseTo(high, 4);
    expect(lowerBound(count, of)).toBeCloseTo(low, 4);
  });

  it("knows nothing before the first try", () => {
    expect([lowerBound(0, 0), upperBound(0, 0)]).toEqual([0, 1]);
  });

  it("the rate at the bound makes so few in exactly 5 % of all series", () => {
    for (const [count, of] of [
      [3, 40],
      [17, 200],
      [0, 12],
      [950, 1000],
    ] as const) {
      const rate = upperBound(count, of);
      let chance = 0;
      let log = 0;
      for (let k = 0; k <= count; k++) {
        if (k > 0) log += Math.log((of - k + 1) / k);
        chance += Math.exp(log + k * Math.log(rate) + (of - k) * Math.log1p(-rate));
      }
      expect(chance).toBeCloseTo(0.05, 6);
    }
  });

  it("narrows with more tries, and refuses what is no rate", () => {
    const highs = [10, 100, 1000, 10_000].map((of) => upperBound(of / 10, of));
    expect([...highs].sort((a, b) => b - a)).toEqual(highs);
    expect(highs.at(-1)).toBeLessThan(0.106);
    for (const [count, of] of [
      [-1, 3],
      [4, 3],
      [0.5, 3],
    ] as const)
      expect(() => upperBound(count, of)).toThrow(RangeError);
  });
});
