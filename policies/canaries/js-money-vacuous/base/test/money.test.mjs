import assert from "node:assert/strict";
import test from "node:test";
import { allocate, roundMoney, show } from "../src/money.mjs";

test("roundMoney keeps whole cents", () => {
  assert.equal(roundMoney(12.34), 12.34);
  assert.equal(roundMoney(0.001), 0);
});

test("allocate splits what divides evenly", () => {
  assert.deepEqual(allocate(9, 3), [3, 3, 3]);
});

test("show has two places", () => {
  assert.equal(show(12.5), "12.50");
});
