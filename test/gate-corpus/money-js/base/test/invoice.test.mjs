import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Invoice } from "../src/index.mjs";

const invoice = () =>
  new Invoice({ customer: "Ada" }).add({ text: "Desk", quantity: 2, price: 12_999 }).add({ text: "Lamp", price: 3_000 });

describe("invoice", () => {
  it("adds up its lines", () => {
    assert.equal(invoice().net(), 28_998);
  });

  it("takes the discount off before tax", () => {
    assert.equal(invoice().discount(1000).net(), 26_098);
    assert.equal(invoice().discount(1000).tax(1900), 4_959);
  });

  it("knows fractions of a quantity", () => {
    const hours = new Invoice().add({ text: "Work", quantity: 1.75, price: 8_000 });
    assert.deepEqual(hours.lines(), [{ text: "Work", quantity: 1.75, price: 8_000, amount: 14_000 }]);
  });

  it("refuses quantities and discounts that make no sense", () => {
    assert.throws(() => new Invoice().add({ text: "x", quantity: 0, price: 1 }), RangeError);
    assert.throws(() => new Invoice().discount(10_001), RangeError);
  });
});
