import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertCents, divide, percent, sum } from "../src/index.mjs";

describe("money", () => {
  it("divides to the nearest whole number", () => {
    assert.equal(divide(10, 4 - 1), 3);
    assert.equal(divide(11, 3), 4);
    assert.equal(divide(-10, 3), -3);
  });

  it("refuses to divide by zero", () => {
    assert.throws(() => divide(1, 0), RangeError);
  });

  it("takes a percentage in basis points", () => {
    assert.equal(percent(10_000, 1900), 1900);
    assert.equal(percent(999, 700), 70);
    assert.equal(percent(0, 1900), 0);
  });

  it("sums amounts", () => {
    assert.equal(sum([1, 2, 3]), 6);
    assert.equal(sum([]), 0);
  });

  it("refuses what is no amount", () => {
    for (const bad of [1.5, "1", Number.NaN, 2 ** 60]) assert.throws(() => assertCents(bad), TypeError);
  });
});
