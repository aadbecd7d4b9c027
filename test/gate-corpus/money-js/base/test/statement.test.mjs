import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Invoice, statement } from "../src/index.mjs";
import { printStatement } from "../src/statement.mjs";

const of = (customer, price) => new Invoice({ customer }).add({ text: "Work", price });

describe("statement", () => {
  it("groups by customer, largest first", () => {
    const rows = statement([of("Bo", 100), of("Ada", 200), of("Bo", 300)]);
    assert.deepEqual(rows, [
      { customer: "Bo", invoices: 2, owed: 400 },
      { customer: "Ada", invoices: 1, owed: 200 },
    ]);
  });

  it("orders equal debts by name", () => {
    assert.deepEqual(
      statement([of("Cy", 100), of("Al", 100)]).map((row) => row.customer),
      ["Al", "Cy"],
    );
  });

  it("adds the late fee to what is owed", () => {
    assert.equal(statement([of("Ada", 10_000)], { fee: 100 })[0].owed, 10_100);
  });

  it("prints one line a customer", () => {
    assert.deepEqual(printStatement([{ customer: "Ada", owed: 200 }]), [`${"Ada".padEnd(24)}${"2.00 €".padStart(16)}`]);
  });
});
